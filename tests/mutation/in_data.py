"""Mistakes in finding, reading, naming and downloading data, and at the edges of commands."""

from tests.mutation.mutants import Mutant

FOLDERS, FETCH = "datasets/test_folders.py", "datasets/test_fetch.py"
ARCHIVE = "datasets/test_cifar_archive.py"
KEPT = "kernels/test_compilation_folder.py"

MUTANTS = [
    # -- where data lies
    Mutant("datasets/folders.py", 're.sub("[^a-z0-9]", "", name.lower())', "name.lower()", FOLDERS),
    Mutant("datasets/folders.py", "name.lower())", "name)", FOLDERS),
    Mutant("datasets/folders.py", "DEPTH = 3", "DEPTH = 1", FOLDERS),
    Mutant("datasets/folders.py", "place.named or name in names", "name in names", FOLDERS),
    Mutant("datasets/folders.py", "named = own in names or (own in", "named = (own in", FOLDERS),
    Mutant("datasets/folders.py", "and around in names)", "and own in names)", FOLDERS),
    Mutant(
        "datasets/folders.py",
        "found = child if child.is_file() else find_file(child, *names)",
        "found = child if child.is_file() else None",
        FOLDERS,
    ),
    Mutant("datasets/folders.py", "if line not in _said and", "if", FOLDERS),
    Mutant(
        "datasets/folders.py", "key=lambda place: not place.named", "key=lambda place: 0", FOLDERS
    ),
    Mutant("datasets/__init__.py", "place.named or found.name == remote.name", "True", FOLDERS),
    Mutant(
        "datasets/__init__.py", "if found.name not in (None, remote.name):", "if False:", FOLDERS
    ),
    Mutant("datasets/__init__.py", "images.name or remote.name", "remote.name", FOLDERS),
    # -- what images they are
    Mutant("datasets/__init__.py", "    if found.name is None:\n", "    if False:\n", FOLDERS),
    Mutant("datasets/known.py", "for array in arrays:", "for array in list(arrays)[:2]:", FOLDERS),
    Mutant("datasets/known.py", "for array in arrays:", "for array in list(arrays)[::2]:", FOLDERS),
    Mutant("datasets/cifar.py", "all(part[3] for", "any(part[3] for", FOLDERS),
    # -- what is believed of a file
    Mutant("datasets/idx.py", "shape[1:] != item or not", "not", "datasets/test_idx.py"),
    Mutant("datasets/idx.py", "<= shape[0] <= MOST", "<= shape[0]", "datasets/test_idx.py"),
    Mutant("datasets/idx.py", "file, size + 1)", "file, size)", "datasets/test_idx.py"),
    Mutant("datasets/npz.py", "or by_columns or", "or", FOLDERS),
    Mutant("datasets/npz.py", " or dtype != np.uint8", "", FOLDERS),
    Mutant("datasets/cifar.py", "member.isreg() and not", "not", ARCHIVE),
    Mutant("datasets/cifar.py", " and not member.issparse()", "", ARCHIVE),
    Mutant("datasets/cifar.py", "if self.left < 0:", "if False:", ARCHIVE),
    Mutant("datasets/cifar.py", "self.left -= len(content)", "self.left -= 1", ARCHIVE),
    Mutant(
        "datasets/cifar.py",
        '    _check_size(f"{member.name} in {path}", member.size)\n',
        "",
        ARCHIVE,
    ),
    Mutant("datasets/cifar.py", "or size > MOST * RECORD", "", "datasets/test_cifar.py"),
    Mutant("datasets/cifar.py", "key=lambda part: part[0]", "key=lambda part: 0", ARCHIVE),
    # -- downloads
    Mutant("datasets/fetch.py", "if file.tell() + len(chunk) > size:", "if False:", FETCH),
    Mutant("datasets/fetch.py", "            os.fsync(file.fileno())", "            pass", FETCH),
    Mutant("datasets/fetch.py", "            file.flush()\n", "", FETCH),
    Mutant("datasets/fetch.py", "return all(_has_hash", "return any(_has_hash", FETCH),
    Mutant("datasets/fetch.py", "if not folder.is_absolute():", "if False:", FETCH),
    Mutant("datasets/fetch.py", "except RuntimeError:", "except KeyError:", FETCH),
    # -- pixels
    Mutant("datasets/resize.py", "few /= 255", "few /= 256", "datasets/test_embedded.py"),
    # -- where machine code is kept
    Mutant("kernels/compilation.py", " or own.st_mode & 0o077:", ":", KEPT),
    Mutant("kernels/compilation.py", "place.st_uid in trusted and ", "", KEPT),
    Mutant(
        "kernels/compilation.py",
        "for place in folder.parents]",
        "for place in [folder.parent]]",
        KEPT,
    ),
    Mutant("kernels/compilation.py", "folder = folder.resolve()", "folder = folder", KEPT),
    Mutant("kernels/compilation.py", " else 0o022", " else 0o002", KEPT),
    Mutant("kernels/compilation.py", "return not place.st_mode & others or", "return", KEPT),
    Mutant("kernels/compilation.py", "folder.mkdir(mode=0o700,", "folder.mkdir(mode=0o755,", KEPT),
    Mutant("kernels/compilation.py", 'if home != "~":', "if True:", KEPT),
    Mutant("kernels/compilation.py", "if FOLDER is not None:", "if True:", KEPT),
    # -- commands
    Mutant("streams.py", "if stream is None:", "if False:", "test_streams.py"),
    Mutant("streams.py", 'errors="replace"', 'errors="strict"', "test_streams.py"),
    Mutant("streams.py", "        sys.stdout.flush()\n", "", "test_streams.py"),
    Mutant("streams.py", "    if code:\n", "    if False:\n", "test_streams.py"),
    Mutant(
        "exercises/__init__.py",
        "with suppress(ValueError):",
        "if True:",
        "test_streams.py",
    ),
    Mutant(
        "exercises/__init__.py",
        '            os.environ["MPLBACKEND"] = backend\n',
        "            pass\n",
        "test_streams.py",
    ),
    Mutant(
        "exercises/common.py",
        "    except BrokenPipeError:  # nobody reads the output any more\n        raise\n",
        "",
        "test_streams.py",
    ),
    Mutant(
        "exercises/results.py", 'if not any(GALLERY.glob("*.png")):', "if False:", "test_streams.py"
    ),
]
