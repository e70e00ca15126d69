"""The rule by which one candidate becomes the model."""

from dataclasses import dataclass

from stagewise.compression.measure import Quality


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen candidate, and one sentence per candidate that says why or why not."""

    name: str
    verdicts: dict[str, str]


def choose(qualities: dict[str, Quality], baseline: str, max_drop: float, figure: str = "score") -> Choice:
    """Choose the smallest candidate whose score is at most ``max_drop`` below that of ``baseline``.

    Of equally small ones the better one wins, then the one whose name comes first. The
    baseline itself always qualifies, so it is kept when no other does.
    """
    accepted = [name for name, item in qualities.items() if name == baseline or item.drop <= max_drop]
    chosen = min(accepted, key=lambda name: (qualities[name].bytes, -qualities[name].score, name))
    verdicts = {
        name: _verdict(
            item, qualities[chosen], (max_drop, figure), is_chosen=name == chosen, is_accepted=name in accepted
        )
        for name, item in qualities.items()
    }
    return Choice(chosen, verdicts)


def _verdict(item: Quality, best: Quality, limit: tuple[float, str], *, is_chosen: bool, is_accepted: bool) -> str:
    max_drop, figure = limit
    drop = f"{figure} drop {item.drop:.4f}"
    if is_chosen:
        return f"chosen: smallest of those within the allowed drop of {max_drop:g} ({drop})"
    if not is_accepted:
        return f"refused: {drop} is more than the allowed {max_drop:g}"
    if item.bytes == best.bytes:
        return f"not chosen: as small as the chosen one, and no better ({drop})"
    return f"not chosen: {item.bytes - best.bytes} bytes larger than the chosen one ({drop})"
