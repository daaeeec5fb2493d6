"""The report page: every figure beside what the report printed and what was measured here."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path

from exercises.common import write_text

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222 }
img { max-width: 100%; border: 1px solid #ddd }
section { margin: 3rem 0 }
dt { font-weight: 600; margin-top: .6rem }
.theirs { border-left: 4px solid #bbb; padding-left: .8rem; color: #555 }
.stamp { font-size: .8rem; color: #777 }
details pre { font-size: .75rem; overflow-x: auto; background: #f6f6f6; padding: .6rem }
"""


def write_report(folder: Path, names: Sequence[str]) -> Path:
    """Write ``report.html``, with all pictures inside, from the PNG and JSON files in ``folder``.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        File names without ending, in the order of the page.
    """
    sections = "\n".join(_section(folder / name) for name in names)
    page = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>nnscratch: the figures</title>\n<style>{STYLE}</style>\n"
        "<h1>nnscratch: the figures of the reports, made anew</h1>\n"
        "<p>Every number on this page was measured by the run that drew the figures; each figure "
        f"says below it what it was made from.</p>\n{sections}\n</html>\n"
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def _section(stem: Path) -> str:
    record = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    say = {key: html.escape(str(value)) for key, value in record.items()}
    picture = base64.b64encode(stem.with_suffix(".png").read_bytes()).decode()
    answers = "".join(
        f"<dt>{html.escape(question)}</dt><dd>{html.escape(answer)}</dd>"
        for question, answer in record["answers"]
    )
    numbers = html.escape(json.dumps(record["numbers"], indent=1, ensure_ascii=False))
    return (
        f'<section id="{say["name"]}"><h2>{say["title"]}</h2>\n'
        f'<img alt="{say["title"]}" src="data:image/png;base64,{picture}">\n'
        f'<p>{say["caption"]}</p>\n<p class="theirs">The report: {say["theirs"]}</p>\n'
        f"<dl>{answers}</dl>\n"
        f'<p class="stamp">{say["stamp"]} · {say["runtime_seconds"]} s</p>\n'
        f"<details><summary>all numbers</summary><pre>{numbers}</pre></details></section>"
    )
