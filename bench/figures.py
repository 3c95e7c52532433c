"""What was measured, what it says together, and whether that meets the figures that have to be met."""
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Limit:
    """A figure that has to be met. `of` is what is compared: see measured_of()."""
    of: str
    phase: str
    operation: str
    shape: str
    bound: float
    above: bool = False  # the figure must be at least the bound, not at most

    def __str__(self) -> str:
        of = " ".join(filter(None, (self.phase, self.operation)))
        return f"{self.of} of {of} at {self.shape} {'>=' if self.above else '<='} {self.bound:g}"


LIMITS = [
    Limit("cpu ratio to nginx", "source_only", "read", "16x1", 1.0),
    Limit("cpu ratio to nginx", "source_only", "read", "16x16", 1.0),
    Limit("cpu ratio to nginx", "source_only", "read", "64x32", 1.3),
    Limit("cpu ratio to nginx", "shadow_sync", "write", "16x1", 1.6),
    Limit("cpu ratio to nginx", "shadow_sync", "write", "16x16", 2.2),
    Limit("cpu ratio to nginx", "shadow_sync", "write", "64x32", 2.2),
    Limit("cpu ratio to nginx", "shadow_async", "write", "16x1", 3.0),
    Limit("cpu ratio to nginx", "shadow_async", "write", "16x16", 3.0),
    Limit("cpu ratio to nginx", "shadow_async", "write", "64x32", 3.0),
    Limit("latency over nginx, us", "source_only", "read", "1x1", 20.0),
    Limit("latency over nginx, us", "shadow_sync", "write", "1x1", 20.0),
    Limit("requests/s per core", "source_only", "read", "64x32", 400_000, above=True),
    Limit("requests/s per core", "shadow_sync", "write", "64x32", 200_000, above=True),
    Limit("two shards to one", "source_only", "read", "64x32", 1.8, above=True),
    Limit("two shards to one", "shadow_sync", "write", "64x32", 1.8, above=True),
    Limit("us to parse a statement", "", "parse", "microbenchmark", 2.0),
    Limit("MiB with 10,000 idle clients", "source_only", "read", "idle", 250),
    Limit("MiB over the memory budget", "", "mixed", "1000 busy", 32),
    Limit("p99.9 over direct at half rate, us", "shadow_sync", "write", "16x16", 1000),
    Limit("p99.9 moved by a stalled shadow, us", "shadow_async", "write", "16x16", 1000),
]


def cpu(result: dict) -> float | None:
    return result["cpu_us_per_request"]["all"] if "cpu_us_per_request" in result else None


def ratio(result: dict, nginx: dict) -> float | None:
    return cpu(result) / cpu(nginx) if cpu(result) is not None and cpu(nginx) else None


class Results:
    """Every run of the generator, by shape, operation and path; and what they say together."""

    def __init__(self) -> None:
        self.runs: dict[tuple[str, str, str], list[dict]] = {}
        self.single: dict[tuple[str, str], float] = {}  # by Limit.of and operation: what is measured once
        self.notes: list[str] = []  # what the parts besides `cpu` found, in words

    def add(self, shape: str, operation: str, path: str, result: dict) -> None:
        self.runs.setdefault((shape, operation, path), []).append(result)

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, file=sys.stderr, flush=True)

    def median(self, shape: str, operation: str, path: str, figure) -> float | None:
        values = [value for value in map(figure, self.runs.get((shape, operation, path), [])) if value is not None]
        return statistics.median(values) if values else None

    def median_ratio(self, shape: str, operation: str, path: str) -> float | None:
        """Each run against nginx of the same round: what else the machine did meanwhile mostly falls out."""
        pairs = zip(self.runs.get((shape, operation, path), []), self.runs.get((shape, operation, "nginx"), []))
        values = [value for value in (ratio(*pair) for pair in pairs) if value is not None]
        return statistics.median(values) if values else None

    def measured_of(self, limit: Limit) -> float | None:
        if (limit.of, limit.operation) in self.single:
            return self.single[limit.of, limit.operation]
        where = (limit.shape, limit.operation, limit.phase)
        if limit.of == "cpu ratio to nginx":
            return self.median_ratio(*where)
        if limit.of == "latency over nginx, us":
            ours = self.median(*where, lambda r: r["latency_us"]["p50"])
            nginx = self.median(limit.shape, limit.operation, "nginx", lambda r: r["latency_us"]["p50"])
            return None if ours is None or nginx is None else ours - nginx
        if limit.of == "requests/s per core":
            # What a core would carry that does nothing else: the generator and the servers may be slower than that.
            micros = self.median(*where, cpu)
            return 1e6 / micros if micros else None
        return None

    def failures(self) -> list[str]:
        return [f"{path} {operation} {shape}: " + (", ".join(f"{n} x {what}" for what, n in result["errors"].items()) or
                                                   f"{result['unanswered']} never answered")
                for (shape, operation, path), runs in self.runs.items() for result in runs
                if result["errors"] or result["unanswered"]]

    def rows(self) -> list[dict]:
        rows = []
        for shape, operation, path in self.runs:
            where = (shape, operation, path)
            rows.append({
                "shape": shape, "operation": operation, "path": path,
                "requests_per_second": self.median(*where, lambda r: r["requests_per_second"]),
                **{f"{name}_us": self.median(*where, lambda r, name=name: r["latency_us"][name])
                   for name in ("p50", "p90", "p99", "p99.9", "p99.99", "max")},
                "cpu_us": self.median(*where, cpu),
                "cpu_share": self.median(*where, lambda r: r.get("cpu_share")),
                "cpu_ratio_to_nginx": self.median_ratio(*where)})
        return rows


def number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def print_table(rows: list[dict]) -> None:
    print(f"\n{'shape':7}{'':7}{'path':15}{'requests/s':>11}{'p50 us':>9}{'p99 us':>9}{'p99.9 us':>10}"
          f"{'cpu us/req':>12}{'core':>6}{'to nginx':>10}")
    before = None
    for row in rows:
        group = (row["shape"], row["operation"])
        if before not in (None, group):
            print()
        before = group
        print(f"{row['shape']:7}{row['operation']:7}{row['path']:15}{number(row['requests_per_second'], ',.0f'):>11}"
              f"{number(row['p50_us'], '.0f'):>9}{number(row['p99_us'], '.0f'):>9}{number(row['p99.9_us'], '.0f'):>10}"
              f"{number(row['cpu_us'], '.2f'):>12}{number(row['cpu_share'], '.0%'):>6}"
              f"{number(row['cpu_ratio_to_nginx'], '.2f'):>10}")


def judge(results: Results) -> list[dict]:
    verdicts = []
    for limit in LIMITS:
        measured = results.measured_of(limit)
        met = None if measured is None else (measured >= limit.bound if limit.above else measured <= limit.bound)
        verdicts.append({**asdict(limit), "text": str(limit), "measured": measured, "met": met})
    return verdicts




def markdown_of(document: dict) -> str:
    """The tables of docs/performance.md, of what --json wrote."""
    machine = document["machine"]
    lines = [f"`{' '.join(document['command'])}` at commit {document['commit']}, {document['date']}: {machine['cores']} cores, "
             f"Linux {machine['kernel']}, {machine['pinning']}, load average {machine['load_average_before']:.1f} before; medians "
             f"of {document['runs_of_each']} runs of {document['duration']:g} s.", ""]
    rows = document["rows"]
    if rows:
        lines += ["| shape | | path | requests/s | p50 us | p99 us | p99.9 us | cpu us/req | to nginx |",
                  "|---|---|---|---|---|---|---|---|---|"]
        lines += [f"| {row['shape']} | {row['operation']} | {row['path']} | {number(row['requests_per_second'], ',.0f')} | "
                  f"{number(row['p50_us'], '.0f')} | {number(row['p99_us'], '.0f')} | {number(row['p99.9_us'], '.0f')} | "
                  f"{number(row['cpu_us'], '.2f')} | {number(row['cpu_ratio_to_nginx'], '.2f')} |" for row in rows]
        lines.append("")
    lines += ["| figure | bound | measured | |", "|---|---|---|---|"]
    for limit in document["limits"]:
        text, _, bound = limit["text"].rpartition(" >= " if limit["above"] else " <= ")
        verdict = {None: "not measured", True: "met", False: "**missed**"}[limit["met"]]
        lines.append(f"| {text} | {'≥' if limit['above'] else '≤'} {bound} | {number(limit['measured'], '.4g')} | {verdict} |")
    lines += ["", *(f"- {note}" for note in document["notes"])]
    return "\n".join(lines).rstrip() + "\n"


BEGIN, END = "<!-- bench/run -->\n", "<!-- end of bench/run -->\n"


def update(path: Path, markdown: str) -> None:
    """Puts the tables between the two marks of the file."""
    text = path.read_text()
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise SystemExit(f"bench/run: {path} has no place for figures between {BEGIN.strip()} and {END.strip()}")
    path.write_text(before + BEGIN + markdown + END + after)
