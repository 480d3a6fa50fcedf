"""Text in CSV files that people open in a spreadsheet."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def without_formula(cell: object) -> object:
    """Return a cell; a text that a spreadsheet would run as a formula begins with an apostrophe, and has no `\\r`."""
    if not isinstance(cell, str):
        return cell
    mark = "'" if cell.startswith(_FORMULA) else ""
    return mark + cell.replace("\r", " ")  # unquoted, it would begin another row
