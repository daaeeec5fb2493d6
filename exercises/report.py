"""The report page: every figure beside what the report printed and what was measured here.

One HTML file that needs nothing else: pictures, style and scripts are inside it, and its content
security policy forbids a browser to load or run anything besides. Template, style and scripts lie
in ``page/``; `explorer_page` writes the part with the latent explorer.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from string import Template
from types import ModuleType
from typing import Any

from PIL import Image

from exercises.catalogue import first_line, short_name
from exercises.common import write_text
from exercises.explorer import Explorer
from exercises.explorer_page import digit_style, explorer_section, png_uri
from exercises.results import MEASURED
from exercises.timing import in_words
from nnscratch import kernels

PAGE = Path(__file__).with_name("page")
FEW = 12  # numbers that still read well on one line
Record = dict[str, Any]
Exercises = Sequence[tuple[ModuleType, Sequence[str]]]


def write_report(
    folder: Path,
    exercises: Exercises,
    seconds: Mapping[str, float] | None = None,
    explorer: Explorer | None = None,
) -> Path:
    """Write ``report.html``, with all pictures inside, from the PNG and JSON files in ``folder``.

    Parameters
    ----------
    folder : Path
    exercises : sequence of (module, names of its figures)
        In the order of the page.
    seconds : dict, optional
        How long the exercises took, by the short names of their modules.
    explorer : Explorer, optional
        Without it, the page has no latent explorer.

    Raises
    ------
    FileNotFoundError
        If a figure or its numbers are missing.
    """
    seconds = seconds or {}
    records = {name: _read(folder, name) for _, names in exercises for name in names}
    known = {short_name(module) for module, _ in exercises}
    sections = []
    for module, names in exercises:
        figures = "\n".join(_figure(folder / f"{name}.png", records[name]) for name in names)
        sections.append(_section(module, figures, known, seconds.get(short_name(module))))
    style, script, explore = (
        (PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "explorer.js")
    )
    style += digit_style()
    page = Template((PAGE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=content_policy([style], [script, explore]),
        style=style,
        script=script,
        contents=_contents(exercises, records, explorer is not None),
        warning=_warning(records),
        facts=_facts(exercises, records, seconds),
        explorer="" if explorer is None else explorer_section(explorer, explore),
        exercises="\n".join(sections),
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def _text(value: object) -> str:
    """What came from a file or from the machine, as text that cannot become markup."""
    return escape(str(value))


def _read(folder: Path, name: str) -> Record:
    try:
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{name}.json is not in {folder}; run the exercise that writes it, or leave it out."
        ) from error


def content_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A content security policy that admits these texts and pictures in the page, nothing else."""

    def hashes(texts: Sequence[str]) -> str:
        digests = (hashlib.sha256(text.encode()).digest() for text in texts)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {hashes(styles)}; script-src {hashes(scripts)}"
    )


def _contents(exercises: Exercises, records: Mapping[str, Record], with_explorer: bool) -> str:
    lines = ['<li><a href="#explorer">Latent explorer</a></li>'] if with_explorer else []
    for module, names in exercises:
        figures = "".join(
            f'<li><a href="#{escape(name)}">{_text(records[name]["title"])}</a></li>'
            for name in names
        )
        lines.append(
            f'<li><a href="#exercise-{escape(short_name(module))}">{_heading(module)}</a>'
            f"<ul>{figures}</ul></li>"
        )
    return "\n".join(lines)


def _heading(module: ModuleType) -> str:
    return _text(first_line(module).rstrip("."))


def _warning(records: Mapping[str, Record]) -> str:
    if not any(record["settings"]["quick"] for record in records.values()):
        return ""
    return (
        '<p class="warning">A quick run on a few images: it shows that everything works, and its '
        "numbers mean nothing.</p>"
    )


def _facts(
    exercises: Exercises, records: Mapping[str, Record], seconds: Mapping[str, float]
) -> str:
    """What was run, on which data, how long and where."""
    stamps = (str(record["stamp"]) for record in records.values())
    parts = [part for stamp in stamps for part in re.split(r" · | and |\n", stamp)]
    named = dict.fromkeys(part for part in parts if re.search(r"\d \+ \d", part))
    sources = [s for s in named if not s.startswith(tuple(f"{other}," for other in named))]
    seeds = dict.fromkeys(str(record["settings"]["seed"]) for record in records.values())
    facts = {
        "Figures": f"{len(records)}, from {len(exercises)} exercises",
        "Data": "<br>".join(map(_text, sources)),
        "Seed": _text(", ".join(seeds)),
        "Machine": _text(machine()),
    }
    if seconds:
        took = in_words(sum(seconds.values()))
        facts["Runtime"] = f"{took}; models kept from an earlier run are not trained again"
    return "\n".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts.items())


def machine() -> str:
    """Processor, threads and versions, without any name of the machine or its user."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")  # of Linux, where `platform` does not know the model
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        processor = found[1] if found else processor
    parts = [f"{processor}, {os.cpu_count()} cores", f"Python {platform.python_version()}"]
    parts += [f"NumPy {version('numpy')}"]
    if kernels.in_use() == "compiled":
        import numba

        threads = numba.get_num_threads()
        parts += [f"kernels compiled by numba {version('numba')}", f"{threads} threads"]
    else:
        parts += ["reference kernels in plain NumPy"]
    return " · ".join(parts)


def _section(module: ModuleType, figures: str, known: set[str], seconds: float | None) -> str:
    name = escape(short_name(module))
    text = (module.__doc__ or "").partition("\n")[2]
    took = "" if seconds is None else f" took {in_words(seconds) if seconds >= 2 else 'a moment'}"
    return (
        f'<section id="exercise-{name}">\n<h2>{_heading(module)}</h2>\n{prose(text, known)}\n'
        f'<p class="run"><code>python -m exercises.{name}</code>{took}</p>\n{figures}\n</section>'
    )


def prose(text: str, known: set[str]) -> str:
    """Paragraphs of a docstring; what stands between backquotes is code, or a link if ``known``."""

    def code(found: re.Match[str]) -> str:
        name = found[1]
        marked = f"<code>{name}</code>"
        return f'<a href="#exercise-{name}">{marked}</a>' if name in known else marked

    paragraphs = re.split(r"\n\s*\n", escape(text, quote=False).strip())
    return "\n".join(f"<p>{re.sub(r'`+([^`]+)`+', code, part)}</p>" for part in paragraphs if part)


def _figure(path: Path, record: Record) -> str:
    say = {key: _text(value) for key, value in record.items()}
    png = path.read_bytes()
    width, height = Image.open(io.BytesIO(png)).size
    first_sentence = re.split(r"(?<=[.!?])\s", str(record["caption"]))[0]
    alt = _text(f"{record['title']}. {first_sentence}")
    answers = "".join(
        f"<dt>{_text(question)}</dt><dd>{_text(answer)}</dd>"
        for question, answer in record["answers"]
    )
    return f"""<article id="{say["name"]}">
<h3>{say["title"]}</h3>
<figure>
<img class="picture" src="{png_uri(png)}" width="{width}" height="{height}" decoding="async"
 alt="{alt}">
<figcaption>
<div class="ours"><p>{say["caption"]}</p>
{_compared(record)}
{f"<dl>{answers}</dl>" if answers else ""}</div>
<div class="theirs"><h4>The report printed</h4><p>{say["theirs"]}</p></div>
</figcaption>
</figure>
<p class="stamp">{say["stamp"]} · {say["runtime_seconds"]} s</p>
{numbers_table(record["numbers"])}
</article>"""


def _compared(record: Record) -> str:
    """The figure's most telling numbers beside those of the report, as in the table."""
    rows = []
    for what, theirs, ours in MEASURED.get(record["name"], ()):
        try:
            here = ours(record["numbers"])
        except (LookupError, TypeError, ValueError, AttributeError):
            continue  # other data have other numbers (of images, or the best beta), or lack some
        rows.append(f'<tr><th scope="row">{_text(what)}</th>'
                    f"<td>{_text(here)}</td><td>{_text(theirs)}</td></tr>")  # fmt: skip
    if not rows:
        return ""
    head = '<tr><td></td><th scope="col">here</th><th scope="col">report</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def numbers_table(numbers: Record) -> str:
    """All numbers, folded away: a table of the single ones, and JSON for the long lists."""
    rows, lists = [], []
    for name, value in _flat(numbers):
        values = value if isinstance(value, list) else [value]
        if len(values) <= FEW and not any(isinstance(v, list | dict) for v in values):
            text = ", ".join(str(_short(v)) for v in values)
            rows.append(f'<tr><th scope="row">{_text(name)}</th><td>{_text(text)}</td></tr>')
        else:
            lists.append(_text(f"{name} = {json.dumps(_short(value), ensure_ascii=False)}\n"))
    table = f'<div class="wide"><table>{"".join(rows)}</table></div>' if rows else ""
    long = f'<pre tabindex="0">{"".join(lists)}</pre>' if lists else ""
    return f"<details><summary>All numbers</summary>{table}{long}</details>"


def _flat(numbers: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Entries of nested dicts, each under the names that lead to it."""
    for name, value in numbers.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} · ")
        else:
            yield f"{prefix}{name}", value


def _short(value: Any) -> Any:
    """``value`` with six significant digits; the JSON file beside the figure has all."""
    if isinstance(value, list):
        return [_short(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
