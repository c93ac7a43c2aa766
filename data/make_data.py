"""Makes the files of this folder that come from packages, and checks all of them against checksums.json.

    python data/make_data.py --check      are all files here, and as they should be? (needs Python alone)
    python data/make_data.py              make them again (`make data` installs the packages they come from first)

Pictures are copied byte for byte where they can be. Tables, scans and digits are written afresh in a form that teaches
what it should; DATA.md says how. Trained weights, figures and the text are not made here: DATA.md says where from.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib.util
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CHECKSUMS = FOLDER / "checksums.json"
NOT_DATA = {"checksums.json", "DATA.md", "requirements.txt"}


class Missing(Exception):
    """A package that a file comes from is not installed."""


def packaged(package: str, path: str) -> Path:
    """Where an installed package keeps a file; the package itself is not imported.

    Raises:
        Missing: it is not installed, or this version has no such file.
    """
    spec = importlib.util.find_spec(package)
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / path).is_file():
            return Path(place) / path
    raise Missing(f"{package} with {path} is not installed: `make data` installs it and goes on")


def copy_pictures() -> None:
    """Photographs and textures of scikit-image and scikit-learn, byte for byte."""
    for package, source, target in (
        ("skimage", "data/chelsea.png", "photos/cat.png"),
        ("skimage", "data/coffee.png", "photos/coffee.png"),
        ("skimage", "data/rocket.jpg", "photos/rocket.jpg"),
        ("skimage", "data/astronaut.png", "photos/astronaut.png"),
        ("skimage", "data/grass.png", "textures/grass.png"),
        ("skimage", "data/gravel.png", "textures/gravel.png"),
    ):
        shutil.copyfile(packaged(package, source), FOLDER / target)


WINE_COLUMNS = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280_od315",
    "proline",
)


def make_wine() -> None:
    """178 wines: semicolons, a header, the cultivar (0, 1, 2) as the last column."""
    with packaged("sklearn", "datasets/data/wine_data.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    write_table("tables/wine.csv", [*WINE_COLUMNS, "cultivar"], rows, ";")


def make_penguins() -> None:
    """344 penguins, with empty fields where nothing was measured."""
    with packaged("palmerpenguins", "data/penguins.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    write_table("tables/penguins.csv", header, [["" if cell == "NA" else cell for cell in row] for row in rows], ",")


def make_bikes() -> None:
    """Hourly bike hire of 2011: 8645 of its 8760 hours, as nothing was recorded in the others."""
    with packaged("ISLP", "data/Bikeshare.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = ["day", "hr", "season", "holiday", "workingday", "weathersit", "temp", "atemp", "hum", "windspeed"]
    columns += ["casual", "registered", "bikers"]
    write_table("tables/bikes.csv", columns, [[row[name] for name in columns] for row in rows], ",")


def write_table(name: str, header: Iterable[str], rows: Iterable[Iterable[str]], delimiter: str) -> None:
    """Write a CSV file with Unix line ends."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    (FOLDER / name).write_text(text.getvalue(), encoding="utf-8")


def make_digits() -> None:
    """1797 handwritten digits: the class and the 64 pixels (8 x 8, row by row, 0 to 16) of each."""
    with gzip.open(packaged("sklearn", "datasets/data/digits.csv.gz"), "rt", encoding="utf-8") as file:
        rows = [[int(float(cell)) for cell in row] for row in csv.reader(file)]
    header = ["digit", *(f"pixel_{row}_{column}" for row in range(8) for column in range(8))]
    write_table("tables/digits.csv", header, [[row[-1], *row[:-1]] for row in rows], ",")


def make_scans() -> None:
    """A CT slice, an MR slice of 12 bits and a brain of 14 MR slices, as 16-bit PNG with metadata beside them."""
    import numpy as np
    import pydicom
    from PIL import Image

    def save(name: str, pixels: np.ndarray, metadata: dict) -> None:
        Image.fromarray(np.ascontiguousarray(pixels, dtype=np.uint16)).save(FOLDER / f"scans/{name}.png", optimize=True)
        text = json.dumps(metadata, indent=1)
        (FOLDER / f"scans/{name}.json").write_text(text + "\n", encoding="utf-8")

    ct = pydicom.dcmread(packaged("pydicom", "data/test_files/CT_small.dcm"))
    save(
        "ct",
        ct.pixel_array,
        {"modality": "CT", "bits": 16, "slope": float(ct.RescaleSlope), "intercept": float(ct.RescaleIntercept)},
    )
    mr = pydicom.dcmread(packaged("pydicom", "data/test_files/examples_overlay.dcm"))
    save("mr12", mr.pixel_array & 0xFFF, {"modality": "MR", "bits": int(mr.BitsStored)})
    voxels = read_nifti(packaged("nilearn", "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"))
    heights = range(20, 160, 10)
    # File names in an order of their own, as scanners write them: where a slice belongs is in its metadata.
    for number, height in enumerate(sorted(heights, key=lambda h: hashlib.sha256(str(h).encode()).hexdigest())):
        plane = np.rot90(voxels[:, :, height].astype(np.float64))
        # Each slice uses all 16 bits, so that each has a slope of its own, as in PET and some MR series.
        slope = float(plane.max()) / 65535 or 1.0
        metadata = {"modality": "MR", "bits": 16, "slope": slope, "intercept": 0.0, "position_mm": float(height - 72)}
        save(f"brain/{number:02}", np.rint(plane / slope), metadata)


def read_nifti(path: Path):
    """The voxels of a gzipped NIfTI-1 file of bytes or of 16-bit integers, (X, Y, Z).

    Source of the format: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h (dim at byte 40, datatype at 70,
    vox_offset at 108).
    """
    import numpy as np

    raw = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(raw, "<i2", 8, 40)[1:4]
    kind = {2: "<u1", 4: "<i2", 16: "<f4", 512: "<u2"}[int(np.frombuffer(raw, "<i2", 1, 70)[0])]
    start = int(np.frombuffer(raw, "<f4", 1, 108)[0])
    return np.frombuffer(raw, kind, int(shape.prod()), start).reshape(tuple(shape), order="F")


MAKERS: tuple[Callable[[], None], ...] = (copy_pictures, make_wine, make_penguins, make_bikes, make_digits, make_scans)


def present() -> dict[str, str]:
    """Checksum (SHA-256) of each data file in this folder, by its path."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    names = [path.relative_to(FOLDER).as_posix() for path in paths]
    kept = [n for n in names if n not in NOT_DATA and not n.endswith((".py", ".pyc")) and not n.startswith(".")]
    return {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in kept}


def check() -> list[str]:
    """What is wrong with the files of this folder, a line each; nothing if all is well."""
    recorded, found = json.loads(CHECKSUMS.read_text(encoding="utf-8")), present()
    card = (FOLDER / "DATA.md").read_text(encoding="utf-8")
    back = "`git checkout -- data/{0}` brings it back"
    lines = [f"data/{name} is missing: " + back.format(name) for name in recorded if name not in found]
    lines += [
        f"data/{name} is not the file it should be: " + back.format(name)
        for name, digest in found.items()
        if name in recorded and recorded[name] != digest
    ]
    lines += [f"data/{name} is not listed in data/checksums.json" for name in found if name not in recorded]
    lines += [f"data/{name} is not on the card, data/DATA.md" for name in recorded if not on_card(name, card)]
    return lines


def on_card(name: str, card: str) -> bool:
    """Whether the data card speaks of a file, by its name or by its folder."""
    folder = name.rsplit("/", 1)[0]
    return f"`{name}`" in card or f"`{folder}/*`" in card


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is 0 if all files are as they should be, and 1 if not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare the files with their checksums")
    parser.add_argument("--record", action="store_true", help="for authors: write the checksums anew")
    options = parser.parse_args(arguments)
    if not options.check and not options.record:
        for folder in ("photos", "textures", "tables", "scans/brain"):
            (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for maker in MAKERS:
            print(f"{maker.__name__.replace('_', ' ')} ...", flush=True)
            try:
                maker()
            except (Missing, ModuleNotFoundError) as error:
                print(error, file=sys.stderr)
                return 2
    if options.record:
        CHECKSUMS.write_text(json.dumps(present(), indent=1) + "\n", encoding="utf-8")
    problems = check()
    print("\n".join(problems) or f"all {len(present())} data files are as they should be")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
