"""Draw the pipeline as an SVG that reads in light and dark mode."""

STAGES = [
    ("configure", "params.yaml + conf/", "build/<stage>.yaml"),
    ("ingest", "URLs, files, archives", "data/raw/"),
    ("preprocess", "checks, split, encode", "data/processed/"),
    ("train", "Lightning module", "models/trained/"),
    ("evaluate", "metrics, intervals", "reports/"),
    ("compress", "ONNX, int8, parity", "models/compressed/"),
    ("package", "card, manifest", "dist/<package>/"),
]
WIDTH, HEIGHT, GAP, TOP = 154, 96, 22, 58

STYLE = """\
text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1f2937}
.name{font-weight:650;font-size:15px}.out{font:12px ui-monospace,Menlo,Consolas,monospace}
.soft{fill:#6b7280}.box{fill:#f8fafc;stroke:#cbd5e1}.first{fill:#eef2ff;stroke:#818cf8}
.last{fill:#ecfdf5;stroke:#34d399}.line{stroke:#94a3b8;stroke-width:1.6;fill:none}
.dash{stroke-dasharray:4 4;stroke:#818cf8}
.head{fill:#94a3b8}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.soft{fill:#9ca3af}.box{fill:#111827;stroke:#374151}
.first{fill:#1e1b4b;stroke:#6366f1}.last{fill:#052e2b;stroke:#10b981}}"""


def draw_pipeline() -> str:
    """Return the picture: seven stages, what each does, what each leaves, and what enters its key."""
    span = len(STAGES) * (WIDTH + GAP) - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 0 {span + 24} 224" role="img" '
        f'aria-label="The seven stages of the pipeline, from configure to package">\n<style>{STYLE}</style>\n',
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>\n',
        '<text x="0" y="22" class="soft">dvc repro runs, restores or skips each stage by its key: '
        "its config, the digests of its code, its libraries, its data</text>\n",
    ]
    for number, stage in enumerate(STAGES):
        parts.append(draw_stage(number, *stage))
    parts.append(draw_keys())
    return "".join([*parts, "</svg>\n"])


def draw_stage(number: int, name: str, work: str, output: str) -> str:
    """Return one box, with the arrow to the next."""
    left = number * (WIDTH + GAP)
    style = "first" if number == 0 else "last" if number == len(STAGES) - 1 else "box"
    middle = left + WIDTH / 2
    parts = [
        f'<rect class="{style}" x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" rx="10"/>\n',
        f'<text class="name" x="{middle}" y="{TOP + 30}" text-anchor="middle">{name}</text>\n',
        f'<text class="soft" x="{middle}" y="{TOP + 54}" text-anchor="middle">{work}</text>\n',
        f'<text class="out" x="{middle}" y="{TOP + 79}" text-anchor="middle">{escaped(output)}</text>\n',
    ]
    if 0 < number < len(STAGES) - 1:
        start, y = left + WIDTH, TOP + HEIGHT / 2
        parts.append(f'<path class="line" marker-end="url(#tip)" d="M{start} {y}H{start + GAP - 1}"/>\n')
    return "".join(parts)


def draw_keys() -> str:
    """Return the dashed lines from configure to every stage."""
    y, bottom = TOP + HEIGHT, TOP + HEIGHT + 30
    centres = [number * (WIDTH + GAP) + WIDTH / 2 for number in range(len(STAGES))]
    lines = [f'<path class="line dash" d="M{centres[0]} {y}V{bottom}H{centres[-1]}"/>\n']
    lines += [f'<path class="line dash" marker-end="url(#tip)" d="M{x} {bottom}V{y + 1}"/>\n' for x in centres[1:]]
    label = (
        "one resolved file per stage, in git: the same bytes from dvc repro, dvc exp run -S and a stage started by hand"
    )
    return "".join(lines) + f'<text class="soft" x="{centres[0] + 12}" y="{bottom + 22}">{label}</text>\n'


def escaped(text: str) -> str:
    """Return text that may stand in SVG."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
