"""From runs to lines of the table: ratios in pairs, their median and spread, and the budgets of the project."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Side:
    """What one run of one side showed."""

    cpu_us: float
    rate: float
    generator_share: float
    refused_share: float = 0.0
    parts_us: dict = field(default_factory=dict)  # of the whole: other processes, background threads


@dataclass(frozen=True)
class Budget:
    """`kind` "us": our cost a request; "ratio": our cost over the peer's; "ms": a time, of a derived figure."""

    kind: str
    most: float

    def text(self):
        return f"{self.most:g}x" if self.kind == "ratio" else f"{self.most:g} {self.kind}"

    def met(self, line):
        return (line.cpu_us if self.kind == "us" else line.ratio) <= self.most


@dataclass
class Line:
    name: str
    connections: int
    peer: str
    pairs: list  # of (ours, peer)
    budget: Budget | None = None
    remark: str = ""

    @property
    def cpu_us(self):
        return statistics.median(ours.cpu_us for ours, _ in self.pairs)

    @property
    def peer_cpu_us(self):
        return statistics.median(peer.cpu_us for _, peer in self.pairs)

    @property
    def ratios(self):
        return [ours.cpu_us / peer.cpu_us for ours, peer in self.pairs]

    @property
    def ratio(self):
        return statistics.median(self.ratios)

    @property
    def rate(self):
        return statistics.median(ours.rate for ours, _ in self.pairs)

    @property
    def peer_rate(self):
        return statistics.median(peer.rate for _, peer in self.pairs)

    @property
    def generator_share(self):
        return statistics.median(ours.generator_share for ours, _ in self.pairs)

    @property
    def verdict(self):
        if self.budget is None:
            return "-"
        return "ok" if self.budget.met(self) else "OVER"

    def part_us(self, name):
        values = [ours.parts_us[name] for ours, _ in self.pairs if name in ours.parts_us]
        return statistics.median(values) if values else None

    def as_json(self):
        return {
            "name": self.name,
            "connections": self.connections,
            "peer": self.peer,
            "cpu_us_per_request": round(self.cpu_us, 3),
            "peer_cpu_us_per_request": round(self.peer_cpu_us, 3),
            "ratio_median": round(self.ratio, 4),
            "ratio_min": round(min(self.ratios), 4),
            "ratio_max": round(max(self.ratios), 4),
            "rate": round(self.rate),
            "peer_rate": round(self.peer_rate),
            "generator_share": round(self.generator_share, 3),
            "budget": self.budget.text() if self.budget else None,
            "verdict": self.verdict,
            "remark": self.remark,
            "pairs": [{"ours": vars(ours), "peer": vars(peer)} for ours, peer in self.pairs],
        }


@dataclass
class Derived:
    """A figure made of lines: no peer, only a budget."""

    name: str
    value: float
    budget: Budget | None
    remark: str = ""

    @property
    def verdict(self):
        if self.budget is None:
            return "-"
        return "ok" if self.value <= self.budget.most else "OVER"

    def as_json(self):
        return {"name": self.name, "value": round(self.value, 4),
                "budget": self.budget.text() if self.budget else None,
                "verdict": self.verdict, "remark": self.remark}


# A rate is the server's only while the generator has room left.
GENERATOR_FULL = 0.9
HEADINGS = ("scenario", "conns", "ours us", "peer us", "ratio", "spread", "ours /s", "peer /s", "gen", "budget",
            "", "peer")


def row_of(line):
    mark = "*" if line.generator_share > GENERATOR_FULL else ""
    return (
        line.name, str(line.connections), f"{line.cpu_us:.2f}", f"{line.peer_cpu_us:.2f}", f"{line.ratio:.2f}",
        f"{min(line.ratios):.2f}-{max(line.ratios):.2f}", f"{line.rate:,.0f}{mark}", f"{line.peer_rate:,.0f}",
        f"{100 * line.generator_share:.0f} %", line.budget.text() if line.budget else "-", line.verdict, line.peer,
    )


def table(lines):
    rows = [HEADINGS, *(row_of(line) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    left = {0, 10, 11}
    out = []
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) if column in left else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths))]
        out.append("  ".join(cells).rstrip())
        if number == 0:
            out.append("  ".join("-" * width for width in widths))
    return "\n".join(out)


def markdown(facts, lines, derived):
    """The same for a document: the table, a sentence with the rates, how it was taken."""

    def budget_of(figure):
        if figure.budget is None:
            return ""
        text = f"{figure.budget.most:g} µs" if figure.budget.kind == "us" else f"{figure.budget.most:g}×"
        return text if figure.verdict == "ok" else f"{text}, **missed**"

    out = ["| what | connections | ours | peer | ratio | budget | peer measured beside it |",
           "|---|---|---|---|---|---|---|"]
    for line in lines:
        ratio = f"{line.ratio:.2f} ({min(line.ratios):.2f}–{max(line.ratios):.2f})"
        out.append(f"| {line.name} | {line.connections:,} | {line.cpu_us:.2f} | {line.peer_cpu_us:.2f} | {ratio} "
                   f"| {budget_of(line)} | {line.peer} |")
    if lines:
        out += ["", "Requests a second, ours and the peer: " + "; ".join(
            f"{line.name} at {line.connections:,}: {line.rate:,.0f} and {line.peer_rate:,.0f}" for line in lines) + "."]
    if derived:
        out += ["", *(f"- {figure.name}: {figure.value:.2f}" + (f" (budget {budget_of(figure)})" if figure.budget else "")
                      for figure in derived)]
    out += ["", f"Taken with `{facts['command']}` ({facts['runs']}) at commit {facts['commit']} on {facts['date']}, "
                f"{facts['machine']}, kernel {facts['kernel']}; {facts['durability']}."]
    return "\n".join(out)


def derived_table(figures):
    return "\n".join(
        f"{figure.name:<60} {figure.value:8.2f}  "
        f"{('budget ' + figure.budget.text() if figure.budget else ''):<14} {figure.verdict:<5} {figure.remark}"
        .rstrip()
        for figure in figures
    )
