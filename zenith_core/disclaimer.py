"""The words that go with every forecast, wherever it is shown."""

DISCLAIMER = (
    "For information and research only. This is not investment advice, not an offer and not a recommendation to buy, "
    "sell or hold any security. Forecasts and signals are statistical estimates from past prices: they may be wrong, "
    "and often are. Past and simulated performance does not guarantee future results; simulated trading knows no "
    "illiquidity, market impact or taxes. You alone are responsible for your decisions; consult a licensed adviser."
)
