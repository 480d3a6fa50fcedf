"""The report as one HTML file that opens without a server: the page's own scripts, styles and words, and the data.

A browser loads no module from a file, so each module is a `data:` address that an import map gives a name.
"""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from zenith_core.names import PAGE_FILES
from zenith_core.words import LANGUAGES

_CATALOGUES = ("words", "report")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; font-src data:; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)
_IMPORT = re.compile(r'^(import .*?from )"\./([\w-]+\.js)";$', re.MULTILINE)
_STYLE = re.compile(r'<link rel="stylesheet" href="\.\./page/([\w./-]+)">')
_SCRIPT = re.compile(r'<script src="\.\./page/([\w./-]+)"(?: defer)?></script>')
_MODULE = re.compile(r'<script src="\.\./page/([\w-]+\.js)" type="module"></script>')
_URL = re.compile(r'url\("([\w./-]+\.woff2)"\)')


def render_file(report: Mapping[str, Any], chart: Mapping[str, Any]) -> str:
    """Return the file. report: a `zenith_core.report.document.Report`, JSON-ready; chart: of `compose_chart`."""
    page = _text("report.html")
    module = _found(_MODULE, page)
    words = {
        f"{name}.{language}": json.loads(_text(f"{name}.{language}.json"))
        for name in _CATALOGUES
        for language in LANGUAGES
    }
    data = {"words": words, "report": report, "chart": chart}
    page = re.sub(r'<link rel="(?:preload|icon)"[^>]*>\n', "", page)
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n<meta {_policy()}>', 1)
    page = page.replace("<title>Report", f"<title>{report['ticker']} report", 1)
    page = page.replace('src="../page/icon.svg"', f'src="{_data("image/svg+xml", _text("icon.svg"))}"')
    page = _STYLE.sub(lambda match: f"<style>\n{_style(match[1])}</style>", page)
    page = _MODULE.sub(lambda match: _modules(module), page)
    page = page.replace("</main>", f"</main>{_json('embedded', data)}", 1)
    return _SCRIPT.sub(lambda match: f"<script>\n{_text(match[1])}</script>", page)


def _modules(first: str) -> str:
    """Return the import map of a module and all that it imports, and the script that loads it."""
    sources: dict[str, str] = {}
    names = [first]
    while names:
        name = names.pop()
        if name not in sources:
            sources[name] = _text(name)
            names += [imported for _, imported in _IMPORT.findall(sources[name])]
    addresses = {name: _data("text/javascript", _IMPORT.sub(r'\1"\2";', text)) for name, text in sources.items()}
    names_to_addresses = json.dumps({"imports": addresses})
    return f'<script type="importmap">{names_to_addresses}</script>\n<script type="module">import "{first}";</script>'


def _style(name: str) -> str:
    """Return a style sheet with its fonts."""
    folder = name.rpartition("/")[0]
    return _URL.sub(lambda match: f'url("{_font(f"{folder}/{match[1]}".lstrip("/"))}")', _text(name))


def _font(name: str) -> str:
    return f"data:font/woff2;base64,{b64encode((PAGE_FILES / name).read_bytes()).decode()}"


def _json(name: str, value: Any) -> str:
    """Return a script element with JSON; no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{b64encode(text.encode()).decode()}"


def _policy() -> str:
    return f'http-equiv="Content-Security-Policy" content="{_POLICY}"'


def _text(name: str) -> str:
    return (PAGE_FILES / name).read_text(encoding="utf-8")


def _found(pattern: re.Pattern[str], text: str) -> str:
    (match,) = pattern.findall(text)
    return str(match)
