"""Tables on which the network's defaults are measured, with the flags for each."""

import gzip
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.data import folder
from benchmarks.neural_network.tasks import public_splits

Settings = dict[str, Any]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """A table, and the test error of published networks if there is one.

    Attributes:
        title: Name in the results.
        settings: Function of a folder for files and a seed that returns the settings
            that name the data. They are the same for every seed, as the seed determines
            the test rows, but where the splits are public.
        score: Key in `metrics.json`: `rmse` or `log_loss`.
        published: Published scores, in words.
    """

    title: str
    settings: Callable[[Path, int], Settings]
    score: str = "rmse"
    published: str = ""


def _stored(name: str, **settings: Any) -> Callable[[Path, int], Settings]:
    def find(scratch: Path, seed: int) -> Settings:
        return {"dataset": str(folder() / name), **settings}

    return find


def _public_split(name: str) -> Callable[[Path, int], Settings]:
    def find(scratch: Path, seed: int) -> Settings:
        if not (scratch / f"{name}_0.npz").exists():
            public_splits(name)(scratch)
        path = scratch / f"{name}_{seed}.npz"
        return {"dataset": str(path), "task": "regression"}

    return find


def _copied(
    name: str,
    separator: str | None,
    rows: int | None = None,
    columns: int | None = None,
    target: int | None = None,
) -> Callable[[Path, int], Settings]:
    """Copy a table that has no header, with `?` for blanks, to one with both.

    Args:
        name: The file's name in the folder of data sets.
        separator: What separates its cells; `None` for any space.
        rows: How many of its rows to take, if not all.
        columns: How many of its columns to take, if not all.
        target: The target's column; `None` for the last.
    """

    def find(scratch: Path, seed: int) -> Settings:
        path = scratch / f"{Path(name).name}.csv"
        if not path.exists():
            with gzip.open(folder() / name, "rt") as file:
                lines = list(itertools.islice(filter(str.strip, file), rows))
            cells = [[c.strip() for c in line.split(separator)] for line in lines]
            cells = [[c.replace("?", "") for c in row[:columns]] for row in cells]
            table = [[f"column_{i}" for i in range(len(cells[0]))], *cells]
            path.write_text("".join(",".join(row) + "\n" for row in table))
        column = "" if target is None else f"column_{target}"
        return {"dataset": str(path), "target": column}

    return find


def _made(make: Callable[[], dict[str, Any]], name: str) -> Any:
    """Write a table that is the same for every seed."""

    def find(scratch: Path, seed: int) -> Settings:
        path = scratch / f"{name}.csv"
        if not path.exists():
            columns = make()
            rows = zip(*columns.values(), strict=True)
            lines = [",".join(map(str, row)) for row in (columns, *rows)]
            path.write_text("\n".join(lines) + "\n")
        return {"dataset": str(path)}

    return find


def make_robot_arm(rows: int = 8192, links: int = 8) -> dict[str, Any]:
    """Return angles of an arm's joints, and how far its tip is from a point.

    The axes of successive joints are at right angles. Noise of 0.3 of the distance's
    standard deviation is added: the best possible R² is about 0.92.
    """
    random = np.random.default_rng(0)
    angles = random.uniform(-np.pi / 2, np.pi / 2, (rows, links))
    frame = np.broadcast_to(np.eye(3), (rows, 3, 3))
    tip = np.zeros((rows, 3))
    for link in range(links):
        turn = np.zeros((rows, 3, 3))
        axis, (one, two) = link % 2, ((0, 1), (0, 2))[link % 2]
        cosine, sine = np.cos(angles[:, link]), np.sin(angles[:, link])
        turn[:, one, one] = turn[:, two, two] = cosine
        turn[:, one, two], turn[:, two, one] = -sine, sine
        turn[:, 2 - axis, 2 - axis] = 1
        frame = frame @ turn
        tip = tip + frame[:, :, 0] / links
    distance = np.linalg.norm(tip - [0.3, 0.3, 0.3], axis=1)
    noisy = distance + 0.3 * distance.std() * random.standard_normal(rows)
    columns = {f"angle_{i + 1}": angles[:, i].round(6) for i in range(links)}
    return {**columns, "distance": noisy.round(6)}


def make_houses(rows: int = 1460) -> dict[str, Any]:
    """Return houses and their prices: some 220 features once categories are columns.

    Few columns matter. Sizes and prices are skewed, most levels of a category are rare,
    and two large houses were cheap.
    """
    random = np.random.default_rng(0)
    size = random.standard_normal(rows)
    quality = np.clip(np.round(6 + size + random.standard_normal(rows)), 1, 10)
    columns: dict[str, Any] = {"quality": quality.astype(int)}
    log_price = 12 + 0.12 * (quality - 6)
    for number in range(16):  # areas: skewed, a few related to the size
        share = 0.8 if number < 3 else 0.2
        spread = share * size + np.sqrt(1 - share**2) * random.standard_normal(rows)
        area = np.exp(7 + 0.4 * spread)
        if number < 2:
            area[:2] = area.max() * 1.5
            log_price += 0.3 * (np.log(area) - 7)
        columns[f"area_{number}"] = area.round()
    for number in range(18):  # mostly 0, as pools and porches are
        some = random.random(rows) < random.uniform(0.02, 0.5)
        value = (some * random.lognormal(5, 0.7, rows)).round()
        if number < 2:
            log_price += 0.0004 * value
        columns[f"extra_{number}"] = value
    for number in range(30):
        levels = int(random.integers(3, 10))
        shares = random.dirichlet(np.full(levels, 0.4))
        level = random.choice(levels, rows, p=shares)
        if number < 6:
            log_price += 0.12 * random.standard_normal(levels)[level]
        columns[f"kind_{number}"] = [f"level{each}" for each in level]
    log_price[:2] -= 1.2
    log_price += 0.12 * random.standard_normal(rows)
    return {**columns, "price": np.exp(log_price).round()}


def make_churn(rows: int = 7043) -> dict[str, Any]:
    """Return customers, of whom about a quarter leave, for reasons mostly unseen."""
    random = np.random.default_rng(0)
    months = random.integers(0, 73, rows)
    contract = np.where(random.random(rows) < 0.2 + months / 120, 1, 0)
    contract += (random.random(rows) < months / 100) & (contract == 1)
    service = random.choice(3, rows, p=[0.35, 0.44, 0.21])
    monthly = (
        20 + 25 * (service < 2) + 25 * (service == 1) + random.uniform(0, 25, rows)
    )
    logit = 0.1 - 0.03 * months - 1.2 * contract + 0.012 * (monthly - 65)
    logit += 0.7 * (service == 1) - 0.5 * (service == 2)
    columns: dict[str, Any] = {
        "months": months,
        "monthly": monthly.round(2),
        "total": (months * monthly * random.uniform(0.95, 1.05, rows)).round(2),
        "contract": np.array(["month", "year", "two years"])[contract],
        "service": np.array(["dsl", "fibre", "none"])[service],
    }
    for number in range(13):
        level = random.choice(3, rows, p=[0.45, 0.35, 0.2])
        logit += (0.35 * (level == 0) if number < 5 else 0) - 0.1
        columns[f"option_{number}"] = np.array(["no", "yes", "other"])[level]
    leaves = random.random(rows) < 1 / (1 + np.exp(-logit))
    return {**columns, "leaves": np.where(leaves, "yes", "no")}


_PUBLISHED = "PBP {:.2f}, dropout {:.2f}"

TABLES = {
    "diabetes": Table("diabetes", lambda scratch, seed: {"dataset": "diabetes"}),
    "concrete": Table(
        "concrete, public splits",
        _public_split("concrete"),
        published=_PUBLISHED.format(5.67, 5.23),
    ),
    "energy": Table(
        "energy, public splits",
        _public_split("energy"),
        published=_PUBLISHED.format(1.80, 1.66),
    ),
    "yacht": Table(
        "yacht, public splits",
        _public_split("yacht"),
        published=_PUBLISHED.format(1.02, 1.11),
    ),
    "auto_mpg": Table(
        "auto-mpg",
        _copied("auto-mpg/auto-mpg.data.gz", None, columns=8, target=0),
    ),
    "wine_red": Table(
        "wine quality, red",
        _stored("winequality/winequality-red.csv.gz", task="regression"),
    ),
    "wine_white": Table(
        "wine quality, white",
        _stored("winequality/winequality-white.csv.gz", task="regression"),
    ),
    "abalone": Table("abalone", _copied("abalone/abalone.data.gz", ",")),
    "housing": Table(
        "california-housing",
        _stored("california-housing/housing.csv.gz", target="median_house_value"),
    ),
    "robot_arm": Table("a robot's arm, made", _made(make_robot_arm, "robot_arm")),
    "houses": Table("prices of houses, made", _made(make_houses, "houses")),
    "adult": Table(
        "adult, 5,000 rows", _copied("adult/adult.data.gz", ",", 5000), "log_loss"
    ),
    "german": Table(
        "german-credit", _copied("german-credit/german.data.gz", None), "log_loss"
    ),
    "churn": Table("customers who leave, made", _made(make_churn, "churn"), "log_loss"),
}
