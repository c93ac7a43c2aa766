"""Known answers of data_loading/tables."""

# %% read_wine wrong="float64"
# The measurements are float64, as NumPy and pandas read them. The layers of a network are float32 and refuse them: name
# the dtype when you make the tensor.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(dtype=np.float64))
    return x, torch.tensor(frame.iloc[:, -1].to_numpy()), list(frame.columns[:-1])


# %% read_wine wrong="float target"
# The classes came out as floats. A class is a name, not an amount: `cross_entropy` and indexing want int64.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    data = torch.tensor(frame.to_numpy(), dtype=torch.float32)
    return data[:, :-1], data[:, -1], list(frame.columns[:-1])


# %% read_wine wrong="target left in x"
# The class is still among the measurements, as the last column of x. A network that sees the answer among its inputs
# learns to copy it, and nothing else.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64), list(frame.columns)


# %% read_wine wrong="classes through float32"
# The whole table went through float32 before the classes were taken out. Above 2**24 float32 does not have every whole
# number, so some classes have become their neighbours.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    data = torch.tensor(frame.to_numpy(), dtype=torch.float32)
    return data[:, :-1], data[:, -1].long(), list(frame.columns[:-1])


# %% read_wine wrong="header as data"
# The header was read as a row of data: no numbers are in it, so there is one row too many, of NaN.
def read_wine(path):
    data = np.atleast_2d(np.genfromtxt(path, delimiter=";"))
    names = Path(path).read_text(encoding="utf-8").splitlines()[0].split(";")
    x = torch.tensor(data[:, :-1], dtype=torch.float32)
    return x, torch.tensor(np.nan_to_num(data[:, -1]), dtype=torch.int64), names[:-1]


# %% read_wine wrong="comma as delimiter"
# Read with commas, each line is a single cell of text: this file has semicolons between its cells.
def read_wine(path):
    frame = pd.read_csv(path)
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    y = torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64)
    return x, y, list(frame.columns[:-1])


# %% read_wine wrong="loses the first wine"
# One row is missing at the top. Where the reader takes the header away by itself, skipping a line skips a sample.
def read_wine(path):
    frame = pd.read_csv(path, sep=";").iloc[1:]
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64), list(frame.columns[:-1])


# %% read_wine wrong="squeezes"
# With a single row or a single measurement a dimension is gone: NumPy's readers squeeze what they read unless told
# otherwise. x is (N, F) for every N and F.
def read_wine(path):
    names = Path(path).read_text(encoding="utf-8").splitlines()[0].split(";")
    data = np.loadtxt(path, delimiter=";", skiprows=1, ndmin=2)
    x = torch.tensor(data[:, :-1].squeeze(), dtype=torch.float32)
    return x, torch.tensor(data[:, -1].squeeze(), dtype=torch.int64), names[:-1]


# %% read_wine wrong="thirteen columns"
# The table is cut at column 13, which is right for wine.csv alone. Count from the end: the class is the last column.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :13].to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64), list(frame.columns[:13])


# %% read_wine wrong="class in the first column"
# Here the first column was taken for the class, and the real class stayed among the measurements. In this file it is the
# last one.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, 1:].to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, 0].to_numpy(), dtype=torch.int64), list(frame.columns[1:])


# %% read_wine wrong="the target's name among the names"
# There is one name more than x has columns: the last name is that of the class.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64), list(frame.columns)


# %% read_wine wrong="classes numbered anew"
# The classes were numbered afresh from 0, in sorted order. For 0, 1, 2 that changes nothing, but with other classes the
# file's own numbers are lost.
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    y = np.unique(frame.iloc[:, -1].to_numpy(), return_inverse=True)[1]
    return x, torch.tensor(y, dtype=torch.int64), list(frame.columns[:-1])


# %% read_wine wrong="names made tidy"
# `genfromtxt(names=True)` rewrites the names: blanks become underscores, and slashes and brackets vanish. They should be
# as the header has them.
def read_wine(path):
    names = np.genfromtxt(path, delimiter=";", names=True).dtype.names
    data = np.loadtxt(path, delimiter=";", skiprows=1, ndmin=2)
    x = torch.tensor(data[:, :-1], dtype=torch.float32)
    return x, torch.tensor(data[:, -1], dtype=torch.int64), list(names[:-1])


# %% read_wine wrong="drops what follows the last newline"
# The last sample of the file is missing. `split("\n")[:-1]` takes for granted that an empty text follows the last newline,
# but a file may end without one. Which way of reading lines does not care?
def read_wine(path):
    lines = Path(path).read_text(encoding="utf-8").split("\n")[:-1]
    rows = [line.split(";") for line in lines[1:]]
    x = torch.tensor([[float(cell) for cell in row[:-1]] for row in rows])
    y = torch.tensor([int(row[-1]) for row in rows])
    return x, y, lines[0].split(";")[:-1]


# %% read_wine wrong="latin-1"
# A name with letters beyond ASCII comes out garbled: "SÃ¤ure" for "Säure". The file is UTF-8, where such a letter takes two
# bytes; latin-1 makes two letters of them and never complains.
def read_wine(path):
    lines = Path(path).read_text(encoding="latin-1").splitlines()
    rows = [line.split(";") for line in lines[1:]]
    x = torch.tensor([[float(cell) for cell in row[:-1]] for row in rows])
    y = torch.tensor([int(row[-1]) for row in rows])
    return x, y, lines[0].split(";")[:-1]


# %% read_wine right="csv module"
import csv


def read_wine(file):
    with open(file, newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines, delimiter=";")
    print("read", len(rows))
    x = torch.tensor([[float(cell) for cell in row[:-1]] for row in rows])
    return x, torch.tensor([int(row[-1]) for row in rows]), header[:-1]


# %% read_wine right="numpy.loadtxt"
def read_wine(path):
    data = np.loadtxt(path, delimiter=";", skiprows=1, ndmin=2)
    with open(path, encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split(";")
    data = torch.from_numpy(data)
    return [data[:, :-1].float(), data[:, -1].long(), names[:-1]]


# %% read_wine right="take the target out by its name"
def read_wine(path):
    frame = pd.read_csv(path, delimiter=";", dtype=float)
    *names, target = frame.columns
    y = frame.pop(target)
    return torch.from_numpy(frame.values.astype("float32")), torch.from_numpy(y.values.astype("int64")), names


# %% one_hot wrong="no unsqueeze"
# The index has one dimension and the result has two, so `scatter_` cannot tell which row each class belongs to. For row
# i of the result it wants row i of the index.
def one_hot(y, num_classes):
    return torch.zeros(len(y), num_classes).scatter_(1, y, 1.0)


# %% one_hot wrong="unsqueeze(0)"
# As a row, (1, N), all classes are written into row 0 of the result, and the other rows stay empty. Each class should be
# in a row of the index by itself.
def one_hot(y, num_classes):
    return torch.zeros(len(y), num_classes).scatter_(1, y.unsqueeze(0), 1.0)


# %% one_hot wrong="scatter along dimension 0"
# With dim=0 the class names the row to write to, in the column of the index, which is 0 for all. The classes are
# columns: dimension 1.
def one_hot(y, num_classes):
    return torch.zeros(len(y), num_classes).scatter_(0, y.unsqueeze(1), 1.0)


# %% one_hot wrong="classes counted in the data"
# The number of columns was taken from the largest class in y, so a batch without the last class comes out narrower than
# the others. It is an argument.
def one_hot(y, num_classes):
    if ((y < 0) | (y >= num_classes)).any():
        raise RuntimeError("class out of range")
    columns = int(y.max()) + 1 if len(y) else num_classes
    return torch.zeros(len(y), columns).scatter_(1, y.unsqueeze(1), 1.0)


# %% one_hot wrong="counts from 1"
# Each 1 stands one column too far to the left, as if classes began at 1, and class 0 has none. They begin at 0.
def one_hot(y, num_classes):
    if ((y < 0) | (y >= num_classes)).any():
        raise RuntimeError("class out of range")
    wide = torch.zeros(len(y), num_classes + 1).scatter_(1, y.unsqueeze(1), 1.0)
    return wide[:, 1:]


# %% one_hot wrong="int64"
# The ones are in the right places, but as int64, which no layer takes. `torch.nn.functional.one_hot` returns integers;
# here float32 is asked for.
def one_hot(y, num_classes):
    return torch.nn.functional.one_hot(y, num_classes)


# %% one_hot wrong="rows of the identity"
# Indexing `torch.eye` picks the right rows, but an index may be negative: class -1 becomes the last class without a word,
# and one that is too large raises an IndexError. The docstring wants a RuntimeError for both.
def one_hot(y, num_classes):
    return torch.eye(num_classes)[y]


# %% one_hot wrong="compares, and lets everything through"
# Comparing with 0 ... C - 1 gives the right rows, but a class out of range is a row of zeros, and nobody is told.
def one_hot(y, num_classes):
    return (y.unsqueeze(1) == torch.arange(num_classes)).float()


# %% one_hot wrong="unsqueeze_ on the caller's tensor"
# `unsqueeze_`, with an underscore, works in place: the caller's y has shape (N, 1) from now on.
def one_hot(y, num_classes):
    return torch.zeros(y.shape[0], num_classes).scatter_(1, y.unsqueeze_(1), 1.0)


# %% one_hot wrong="transposed"
# The result has a row for each class and a column for each sample: (C, N). Samples come first.
def one_hot(y, num_classes):
    return torch.zeros(num_classes, len(y)).scatter_(0, y.unsqueeze(0), 1.0)


# %% one_hot wrong="writes the class, not 1"
# The places are right, but what is written there is the class itself where a 1 was asked for: class 2 writes a 2, and
# class 0 leaves no trace.
def one_hot(y, num_classes):
    index = y.unsqueeze(1)
    return torch.zeros(len(y), num_classes).scatter_(1, index, index.float())


# %% one_hot wrong="one buffer for all calls"
# The result is right until the function is called again with as many classes: both calls hand out the same tensor, so the
# second overwrites the first. Speed is not worth that here; make a new tensor for each call.
_buffers = {}


def one_hot(y, num_classes):
    shape = (len(y), num_classes)
    if shape not in _buffers:
        _buffers[shape] = torch.empty(shape)
    return _buffers[shape].zero_().scatter_(1, y[:, None], 1.0)


# %% one_hot wrong="classes as uint8"
# With more than 256 classes, some rows have their 1 in the wrong column: uint8 ends at 255, and 256 becomes 0 without a
# word. (-1 becomes 255 the same way, which may hide an error.) An index is int64.
def one_hot(y, num_classes):
    small = y.to(torch.uint8)
    return torch.zeros(len(y), num_classes).scatter_(1, small.long()[:, None], 1.0)


# %% one_hot right="a tensor of ones as source"
def one_hot(labels, count):
    print(labels.shape)
    index = labels[:, None]
    out = labels.new_zeros((labels.numel(), count), dtype=torch.float32)
    return torch.scatter(out, 1, index, torch.ones_like(index, dtype=torch.float32))


# %% one_hot right="torch's own, cast"
def one_hot(y, num_classes):
    return torch.nn.functional.one_hot(y, num_classes).to(torch.float32)


# %% one_hot right="a loop with checks"
def one_hot(y, num_classes):
    out = torch.zeros(y.shape[0], num_classes)
    for row, one in enumerate(y.tolist()):
        if one not in range(num_classes):
            raise RuntimeError(f"class {one} is out of range")
        out[row, one] = 1
    return out


# %% one_hot right="compares after a check"
def one_hot(y, num_classes):
    if y.numel() and (y.min() < 0 or y.max() >= num_classes):
        raise RuntimeError("class out of range")
    return torch.eq(y.reshape(-1, 1), torch.arange(num_classes)).to(torch.float32)


# %% Standardizer wrong="refits in transform"
# `transform` takes mean and deviation from whatever it gets, so all data comes out with mean 0, and the same sample means
# different numbers in different company (alone, it is all zeros). Both belong to the data given to `fit`.
class Standardizer:
    def fit(self, x):
        return self

    def transform(self, x):
        x = x.double()
        deviation = x.std(0, correction=0)
        return ((x - x.mean(0)) / torch.where(deviation == 0, 1.0, deviation)).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="split fitted on all data"
# The Standardizer is right, but `standardize_split` fits it on training and validation data together: what the model is
# examined on has taken part in its making.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.mean, deviation = x.mean(0), x.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(torch.cat([train, validation]))
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="each part of the split by itself"
# The Standardizer is right, but `standardize_split` fits a new one for the validation data: equal samples in the two parts
# come out as different numbers.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.mean, deviation = x.mean(0), x.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    return Standardizer().fit(train).transform(train), Standardizer().fit(validation).transform(validation)


# %% Standardizer wrong="dim=1"
# The mean was taken along each row, over columns that have nothing to do with each other, and the shape (N, 1) fits no
# other number of rows. Each *column* has a mean: dimension 0 disappears.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.mean, deviation = x.mean(1, keepdim=True), x.std(1, correction=0, keepdim=True)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="one mean for the whole table"
# One mean and one deviation were taken over all columns together, so the loud columns are still loud. Each column has its
# own.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.mean, deviation = x.mean(), x.std(correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="divides by a deviation of 0"
# A column that never changes has deviation 0, and 0 / 0 is NaN (a column of a single training row, too). Divide such a
# column by 1.
class Standardizer:
    def fit(self, x):
        self.mean, self.deviation = x.double().mean(0), x.double().std(0, correction=0)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="a constant column is set to 0"
# A column that never changed in training is set to 0 in all data. If it does change later, that should be seen: divided
# by 1, the difference stays.
class Standardizer:
    def fit(self, x):
        self.mean, self.deviation = x.double().mean(0), x.double().std(0, correction=0)
        return self

    def transform(self, x):
        out = (x.double() - self.mean) / self.deviation
        return torch.where(self.deviation == 0, 0.0, out).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="sample deviation"
# This is the deviation with N - 1 in the denominator, which `std` takes unless told otherwise: everything comes out a
# little small, and of a single row it is NaN.
class Standardizer:
    def fit(self, x):
        self.mean, deviation = x.double().mean(0), x.double().std(0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="adds an epsilon"
# A small number was added to the deviation to be safe from 0. To a column measured in tiny units it is not small, so that
# column stays whispering; and a constant column is divided by it, not by 1.
class Standardizer:
    def fit(self, x):
        self.mean, self.deviation = x.double().mean(0), x.double().std(0, correction=0) + 1e-8
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="small deviations count as 0"
# Every deviation below a bound was taken for 0. A column measured in tiny units has a small one, and keeps its tiny
# numbers then.
class Standardizer:
    def fit(self, x):
        self.mean, deviation = x.double().mean(0), x.double().std(0, correction=0)
        self.deviation = torch.where(deviation < 1e-6, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="rounds to float32 first"
# Everything was cast to float32 before the subtraction. Large numbers such as seconds since 1970 lose their differences
# there. Subtract first, and round what comes out.
class Standardizer:
    def fit(self, x):
        self.mean, deviation = x.float().mean(0), x.float().std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return (x.float() - self.mean) / self.deviation


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="dtype of the input"
# It calculates in whatever dtype it gets: float64 comes out as float64, and integers have no mean at all. The result is
# always float32.
class Standardizer:
    def fit(self, x):
        self.mean, deviation = x.mean(0), x.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return (x - self.mean) / self.deviation


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="variance for deviation"
# It divides by the variance, the square of the deviation: a column that is ten times as wide comes out ten times as
# narrow. Take the root.
class Standardizer:
    def fit(self, x):
        self.mean, variance = x.double().mean(0), x.double().var(0, correction=0)
        self.variance = torch.where(variance == 0, 1.0, variance)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.variance).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="min-max"
# Each column was squeezed into 0 to 1 by its smallest and largest number. That is another scaling: one outlier decides
# all. Mean and standard deviation were asked for.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.low, span = x.amin(0), x.amax(0) - x.amin(0)
        self.span = torch.where(span == 0, 1.0, span)
        return self

    def transform(self, x):
        return ((x.double() - self.low) / self.span).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="in place on what double() returns"
# `x.double()` copies only what is not float64 already. A float64 table comes back as it is, so `-=` and `/=` write into the
# caller's data, which is standardised once more the next time.
class Standardizer:
    def fit(self, x):
        x = x.double()
        self.mean, deviation = x.mean(0), x.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        x = x.double()
        x -= self.mean
        x /= self.deviation
        return x.float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="a second fit adds to the first"
# A second `fit` counts in the data of the first one as well. It should forget what was fitted before.
class Standardizer:
    def __init__(self):
        self.rows = []

    def fit(self, x):
        self.rows.append(x.double().clone())
        rows = torch.cat(self.rows)
        self.mean, deviation = rows.mean(0), rows.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="remembers x, not its numbers"
# `fit` keeps the tensor and calculates later. Whatever happens to the training data in between (shuffled, augmented,
# overwritten) changes the result.
class Standardizer:
    def fit(self, x):
        self.x = x
        return self

    def transform(self, x):
        train = self.x.double()
        deviation = train.std(0, correction=0)
        return ((x.double() - train.mean(0)) / torch.where(deviation == 0, 1.0, deviation)).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="fit returns nothing"
# `fit` returns None, so `Standardizer().fit(train).transform(x)` fails. It should return the object itself.
class Standardizer:
    def fit(self, x):
        self.mean, deviation = x.double().mean(0), x.double().std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer()
    scaler.fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="kept in the class"
# Mean and deviation are kept in the class, not in the object, so all Standardizers share them: fitting one changes the
# others.
class Standardizer:
    def fit(self, x):
        Standardizer.mean, deviation = x.double().mean(0), x.double().std(0, correction=0)
        Standardizer.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - Standardizer.mean) / Standardizer.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer wrong="fits once, then never again"
# A second `fit` changes nothing: the numbers of the first one are still there. It should forget them.
class Standardizer:
    def fit(self, x):
        if not hasattr(self, "mean"):
            self.mean, deviation = x.double().mean(0), x.double().std(0, correction=0)
            self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.deviation).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% Standardizer right="NumPy"
class Standardizer:
    def __init__(self):
        self.statistics = None

    def fit(self, x):
        array = x.numpy().astype("float64")
        spread = array.std(axis=0)
        spread[spread == 0] = 1
        self.statistics = array.mean(axis=0), spread
        return self

    def transform(self, x):
        mean, spread = self.statistics
        return torch.from_numpy(((x.numpy().astype("float64") - mean) / spread).astype("float32"))


def standardize_split(a, b):
    scaler = Standardizer()
    return tuple(scaler.fit(a).transform(part) for part in (a, b))


# %% Standardizer right="column by column, in Python"
import statistics


class Standardizer:
    def fit(self, data):
        self._columns = [(statistics.fmean(c), statistics.pstdev(c) or 1.0) for c in zip(*data.tolist())]
        print("fitted", len(self._columns))
        return self

    def transform(self, data):
        rows = [[(v - m) / d for v, (m, d) in zip(row, self._columns)] for row in data.tolist()]
        return torch.tensor(rows, dtype=torch.float32).reshape(data.shape)


def standardize_split(train, validation):
    both = Standardizer().fit(train).transform(torch.cat([train, validation]))
    return both[: len(train)], both[len(train) :]


# %% Standardizer right="keepdim, var_mean, masked_fill"
class Standardizer:
    mean = deviation = None

    def fit(self, x):
        variance, self.mean = torch.var_mean(x.to(torch.float64), dim=0, correction=0, keepdim=True)
        self.deviation = variance.sqrt().masked_fill(variance == 0, 1)
        return self

    def transform(self, x):
        return x.to(torch.float64).sub(self.mean).div(self.deviation).to(torch.float32)


def standardize_split(train, validation):
    scaler = Standardizer()
    scaler.fit(train)
    return [scaler.transform(train), scaler.transform(validation)]


# %% Standardizer right="a module with buffers"
class Standardizer(nn.Module):
    def fit(self, x):
        own = x.detach().clone().double()
        centred = own - own.mean(dim=0)
        spread = centred.square().mean(dim=0).sqrt()
        spread[(own == own[0]).all(dim=0)] = 1.0
        self.register_buffer("mean", own.mean(dim=0))
        self.register_buffer("spread", spread)
        return self

    def transform(self, x):
        return ((x.double() - self.mean) / self.spread).float()


def standardize_split(train, validation):
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)


# %% encode_columns wrong="ordinal as one-hot"
# The ordinal column came out as one column for each level. One-hot forgets the order, and the list was there to say it:
# one column with ranks.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if kind == "interval":
            if values.isna().any():
                raise ValueError(name)
            columns.append(values)
        else:
            if isinstance(kind, list) and not values.isin(kind).all():
                raise ValueError(name)
            columns += [values.isin([one]) for one in (kind if isinstance(kind, list) else sorted(kind))]
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="category as number"
# Each category became a number in one column. That tells the network of an order and of distances that do not exist: the
# third one is not three times the first.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if kind != "interval":
            levels = kind if isinstance(kind, list) else sorted(kind)
            values = values.map({level: rank for rank, level in enumerate(levels)})
            if isinstance(kind, set):
                values = values.astype(float).fillna(-1)
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="set order"
# The columns of the categories stand in the order in which Python goes through the set. For text that is another order in
# each run, and for numbers not the sorted one either. Sort first.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in kind]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="sorted as text"
# The categories are sorted as text, where 100 comes before 30 and 30 before 4. Whole numbers sort as numbers.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind, key=str)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="categories from the data"
# Only categories that occur in this frame have a column (as `get_dummies` and `unique` find them), so another frame comes
# out with another width, and an unknown value gets a column of its own. The set says which there are.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(values.dropna().unique())]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="unknown category is an error"
# A category that is not in the set stops everything. For those there is an honest answer, "none of these": zeros.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            if not values.isin(kind).all():
                raise ValueError(f"{name}: unknown category")
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="unknown category is the first one"
# A category that is not in the set was given to the first one (or the last, by an index of -1): a claim that nobody made.
# It should be a row of zeros.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            ordered = sorted(kind)
            ids = [ordered.index(value) if value in kind else 0 for value in values]
            columns += list(np.eye(len(ordered), dtype=np.float32)[ids].T if ids else np.zeros((len(ordered), 0)))
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values.to_numpy(np.float32))
    return torch.from_numpy(np.stack(columns, axis=1).astype(np.float32))


# %% encode_columns wrong="ranks in alphabetical order"
# The ranks follow the alphabet (as `pd.Categorical` and label encoders do unless told the order), where "huge" comes before
# "small". The order is that of the list.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(sorted(kind))})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="ranks in order of appearance"
# The ranks follow the order in which levels turn up in this frame (as `pd.factorize` numbers them), so the same level has
# another rank in another frame.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            if not values.isin(kind).all():
                raise ValueError(name)
            values = pd.Series(pd.factorize(values)[0])
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="ranks from 1"
# The ranks begin at 1. The first level should have rank 0.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind, 1)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="unknown level gets rank -1"
# A level that is not in the list has rank -1 (the code that pandas gives it), as if it came before the lowest. No rank is
# honest here, so it should be a ValueError.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = pd.Series(pd.Categorical(values, categories=kind, ordered=True).codes)
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="NaN goes through"
# Missing numbers and unknown levels go into the tensor as NaN, and one NaN makes every loss NaN. They should be a ValueError
# with the name of the column.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
        elif isinstance(kind, list):
            columns.append(values.map({level: rank for rank, level in enumerate(kind)}))
        else:
            columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="missing becomes 0"
# What is missing was filled with 0. A weight of 0 g is a number like any other to a network; it should be a ValueError with
# the name of the column.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            if not values.dropna().isin(kind).all():
                raise ValueError(name)
            values = values.map({level: rank for rank, level in enumerate(kind)})
        columns.append(values.astype(float).fillna(0))
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="compares as text"
# The categories were compared as text. pandas reads whole numbers as floats as soon as one is missing, and "30.0" is not
# "30", though the numbers are equal.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.astype(str) == str(category) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="drops incomplete rows"
# Rows with a gap anywhere were dropped, so there are fewer rows than samples, and the targets no longer belong to them.
def encode_columns(frame, spec):
    frame = frame.dropna()
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="order of the frame"
# The columns of the result stand in the order in which the frame has them. They should follow the spec.
def encode_columns(frame, spec):
    columns = []
    for name in [name for name in frame.columns if name in spec]:
        kind, values = spec[name], frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="rows by their labels"
# Rows were looked up as `values[0]`, `values[1]`, ...: by their *labels*. A selection of rows keeps the labels it had, so
# these are other rows, or none. `iloc` goes by position.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = [frame[name][row] for row in range(len(frame))]
        if isinstance(kind, set):
            columns += [[float(value == category) for value in values] for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = [kind.index(value) if value in kind else None for value in values]
        if pd.isna(pd.Series(values, dtype=object)).any():
            raise ValueError(name)
        columns.append(values)
    return torch.tensor(np.array(columns, dtype=np.float32).T.reshape(len(frame), len(columns)))


# %% encode_columns wrong="writes into the frame"
# The ranks were written into the caller's frame, whose column of words is gone. Work on a copy, or on the column alone.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        if isinstance(kind, set):
            columns += [frame[name].isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            frame[name] = frame[name].map({level: rank for rank, level in enumerate(kind)})
        if frame[name].isna().any():
            raise ValueError(name)
        columns.append(frame[name])
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))


# %% encode_columns wrong="float64"
# The numbers are right, but float64, as pandas keeps them. The layers of a network want float32.
def encode_columns(frame, spec):
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(name)
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float64) for column in columns], axis=1))


# %% encode_columns wrong="an error without the column"
# `kind.index(value)` does raise a ValueError for an unknown level, but it does not say in which column, and in a table of
# fifty columns that is what one wants to know.
def encode_columns(frame, spec):
    parts = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            parts += [values.isin([category]).to_numpy(np.float32) for category in sorted(kind)]
        elif isinstance(kind, list):
            parts.append(np.array([kind.index(value) for value in values], dtype=np.float32))
        else:
            if values.isna().any():
                raise ValueError(f"{name}: missing number")
            parts.append(values.to_numpy(np.float32))
    return torch.from_numpy(np.stack(parts, axis=1))


# %% encode_columns right="row by row, in Python"
def encode_columns(table, kinds):
    rows, width = [], 0
    for kind in kinds.values():
        width += len(kind) if isinstance(kind, set) else 1
    for _, record in table.iterrows():
        row = []
        for name, kind in kinds.items():
            value = record[name]
            if isinstance(kind, set):
                row.extend(1.0 if value == category else 0.0 for category in sorted(kind))
            elif isinstance(kind, list):
                if value not in kind:
                    raise ValueError(f"unknown level {value!r} in column {name}")
                row.append(float(kind.index(value)))
            elif pd.isna(value):
                raise ValueError(f"missing number in column {name}")
            else:
                row.append(float(value))
        rows.append(row)
    print("encoded", len(rows))
    return torch.tensor(rows, dtype=torch.float32).reshape(len(rows), width)


# %% encode_columns right="pandas' Categorical and get_dummies"
def encode_columns(frame, spec):
    parts = []
    for name, kind in spec.items():
        values = frame[name].reset_index(drop=True)
        if isinstance(kind, set):
            coded = pd.Series(pd.Categorical(values, categories=sorted(kind)))
            parts.append(pd.get_dummies(coded, dtype="float32"))
        elif isinstance(kind, list):
            codes = pd.Series(pd.Categorical(values, categories=kind, ordered=True).codes)
            if (codes == -1).any():
                raise ValueError(f"column {name} has levels outside {kind}")
            parts.append(codes)
        else:
            if values.isnull().any():
                raise ValueError(f"column {name} has gaps")
            parts.append(values)
    return torch.tensor(pd.concat(parts, axis=1).to_numpy(dtype="float32"))


# %% encode_columns right="tensors, with one_hot"
def encode_columns(frame, spec):
    parts = []
    for name, kind in spec.items():
        values = frame[name].tolist()
        if kind == "interval":
            part = torch.tensor(values, dtype=torch.float32)[:, None]
            if part.isnan().any():
                raise ValueError(name)
        else:
            ordered = list(kind) if isinstance(kind, list) else sorted(kind)
            places = torch.tensor([ordered.index(v) if v in ordered else len(ordered) for v in values], dtype=torch.long)
            if isinstance(kind, set):
                part = one_hot(places, len(ordered) + 1)[:, :-1]
            else:
                if (places == len(ordered)).any():
                    raise ValueError(f"{name}?")
                part = places.float().unsqueeze(1)
        parts.append(part)
    return torch.cat(parts, 1)


# %% CategoryEmbedding wrong="one table for all columns"
# All columns look into one table: id 2 of the first column and id 2 of the second get the same row and are trained
# together, though they have nothing to do with each other. Each column needs its own table (or its own part of one).
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.sizes, self.dims = sizes, dims
        self.table = nn.Embedding(max(sizes) + 1, max(dims), padding_idx=0)

    def forward(self, ids):
        parts = []
        for column, size, dim in zip(ids.unbind(1), self.sizes, self.dims):
            known = (column > 0) & (column <= size)
            parts.append(self.table(torch.where(known, column, 0))[:, :dim])
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="the same table K times"
# `[nn.Embedding(...)] * K` is one table, K times in a list: all columns share its rows, and with different sizes it fits
# only the first. Make a new one for each column.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(sizes[0] + 1, dims[0], padding_idx=0)] * len(sizes))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="tables in a plain list"
# The tables are in a plain list, where the module does not see them: `parameters()` is empty, so nothing is trained, saved
# or moved. torch.nn has a list that registers what is in it.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = [nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims)]

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="the row for unknown learns"
# Row 0 starts at zero, but gradients reach it, so that after one step of training the unknown is not zeros any more.
# nn.Embedding has an argument for this.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim) for size, dim in zip(sizes, dims))
        with torch.no_grad():
            for table in self.tables:
                table.weight[0] = 0

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="no row for unknown"
# Id 0 has an ordinary row, with random numbers that are trained. What is unknown should be zeros, now and later.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="fresh start overwrites the zeros"
# `padding_idx=0` made row 0 zeros and keeps gradients away from it, but the tables were filled with new random numbers
# afterwards, row 0 included: it is random now, and stays so.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))
        for table in self.tables:
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="unseen ids raise"
# An id larger than `sizes` says raises an IndexError. The first new category that turns up would stop everything (on a
# GPU, the whole program). It counts as unknown.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        return torch.cat([table(ids[:, k]) for k, table in enumerate(self.tables)], dim=1)


# %% CategoryEmbedding wrong="unseen ids clamped to the last"
# `clamp` makes the last category of every id that is too large, so whatever is new passes for that one, and trains it.
# Unknown ids belong to row 0.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = [table(column.clamp(0, table.num_embeddings - 1)) for table, column in zip(self.tables, ids.unbind(1))]
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="unseen ids wrapped round"
# With `%` an id that is too large wraps round to one that has nothing to do with it, and a negative one too. Unknown ids
# belong to row 0.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = [table(column % table.num_embeddings) for table, column in zip(self.tables, ids.unbind(1))]
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="negative ids forgotten"
# Ids that are too large are sent to row 0, but negative ones still reach the table, which has no row for them.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = [
            table(torch.where(column < table.num_embeddings, column, 0))
            for table, column in zip(self.tables, ids.unbind(1))
        ]
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="the last category has no row"
# The table has as many rows as there are categories, and row 0 is taken for the unknown: none is left for the last one,
# which comes out as unknown.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="ids as numbers"
# The ids went through a linear layer as floats. So id 4 is twice id 2 by construction, and no row can be learned by itself.
# An id is a place to look at, not an amount.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.sizes = sizes
        self.layers = nn.ModuleList(nn.Linear(1, dim, bias=False) for dim in dims)

    def forward(self, ids):
        parts = []
        for layer, size, column in zip(self.layers, self.sizes, ids.unbind(1)):
            known = (column > 0) & (column <= size)
            parts.append(layer(torch.where(known, column, 0).to(layer.weight.dtype).unsqueeze(1)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="float ids"
# The ids were turned into floats on the way, and a table can only be indexed by integers.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.float().unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(column * known))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="writes into ids"
# `ids[unknown] = 0` writes into the caller's tensor: its ids are gone for whoever comes next.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        for k, table in enumerate(self.tables):
            ids[(ids[:, k] < 0) | (ids[:, k] >= table.num_embeddings), k] = 0
        return torch.cat([table(ids[:, k]) for k, table in enumerate(self.tables)], dim=1)


# %% CategoryEmbedding wrong="new tables in every call"
# The tables are made in `forward`, so each call has other random rows, and none of them is ever trained. They belong into
# `__init__`.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.pairs = list(zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for (size, dim), column in zip(self.pairs, ids.unbind(1)):
            known = (column > 0) & (column <= size)
            parts.append(nn.Embedding(size + 1, dim, padding_idx=0)(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="looks up the weights without the graph"
# The rows are right, but they were taken from `weight.data` (or detached), outside the graph: no gradient flows back, and
# nothing is learned.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table.weight.data[torch.where(known, column, 0)])
        return torch.cat(parts, dim=1).requires_grad_()


# %% CategoryEmbedding wrong="gradient averaged over repeats"
# With `scale_grad_by_freq` a row that was looked up twice gets the mean of the two gradients. Common categories then learn
# more slowly than their share; the plain sum was asked for.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(
            nn.Embedding(size + 1, dim, padding_idx=0, scale_grad_by_freq=True) for size, dim in zip(sizes, dims)
        )

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="columns in reverse"
# The parts are side by side, but the last column comes first. They should stand in the order of the columns of `ids`.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.insert(0, table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="all start at zero"
# All rows start at zero, so at the beginning all categories are the same to the network, and the same as unknown. They
# should start as random numbers.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in zip(sizes, dims))
        for table in self.tables:
            nn.init.zeros_(table.weight)

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding wrong="row 0 zeroed before each look-up"
# Unknown ids come out as zeros, since row 0 is set to zero in every call; but their gradients still reach that row, and an
# optimiser keeps moving it in between. nn.Embedding has an argument that keeps gradients away from one row.
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim) for size, dim in zip(sizes, dims))

    def forward(self, ids):
        parts = []
        for table, column in zip(self.tables, ids.unbind(1)):
            with torch.no_grad():
                table.weight[0] = 0
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))
        return torch.cat(parts, dim=1)


# %% CategoryEmbedding right="one-hot times a matrix"
class CategoryEmbedding(nn.Module):
    def __init__(self, counts, widths):
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(n + 1, e)) for n, e in zip(counts, widths))
        with torch.no_grad():
            for weight in self.weights:
                weight[0].zero_()

    def forward(self, ids):
        parts = []
        for k, weight in enumerate(self.weights):
            places = torch.arange(1, len(weight), device=ids.device)
            hot = (ids[:, k : k + 1] == places).to(weight.dtype)
            parts.append(hot @ weight[1:])
        return torch.hstack(parts)


# %% CategoryEmbedding right="functional embedding, named parameters"
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.sizes = tuple(sizes)
        for k, (size, dim) in enumerate(zip(sizes, dims)):
            start = torch.empty(size + 1, dim).uniform_(-1, 1)
            start[0] = 0
            self.register_parameter(f"table_{k}", nn.Parameter(start))
        print("tables:", len(self.sizes))

    def forward(self, ids):
        def look_up(k):
            column = ids[:, k].clone()
            column[(column < 1) | (column > self.sizes[k])] = 0
            return nn.functional.embedding(column, self.get_parameter(f"table_{k}"), padding_idx=0)

        return torch.cat([look_up(k) for k in range(len(self.sizes))], dim=-1)


# %% CategoryEmbedding right="rows masked after the look-up"
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.bags = nn.ModuleDict({str(k): nn.Embedding(n + 1, e) for k, (n, e) in enumerate(zip(sizes, dims))})

    def forward(self, ids):
        outs = []
        for k, table in enumerate(self.bags.values()):
            column = ids.select(1, k)
            known = column.ge(1).logical_and(column.lt(table.num_embeddings)).unsqueeze(-1)
            rows = table(column.clamp(0, table.num_embeddings - 1))
            outs.append(torch.where(known, rows, torch.zeros_like(rows)))
        return torch.cat(outs, 1)


# %% CategoryEmbedding right="one flat parameter with offsets"
class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.shapes = [(size + 1, dim) for size, dim in zip(sizes, dims)]
        self.flat = nn.Parameter(torch.randn(sum(rows * dim for rows, dim in self.shapes)))

    def forward(self, ids):
        outs, start = [], 0
        for column, (rows, dim) in zip(ids.T, self.shapes):
            table = self.flat[start : start + rows * dim].view(rows, dim)
            known = (column > 0) & (column < rows)
            outs.append(table[column * known] * known[:, None])
            start += rows * dim
        return torch.cat(outs, dim=1)


# %% CategoryEmbedding right="row 0 frozen, as a parameter of its own"
class Column(nn.Module):
    def __init__(self, size, dim):
        super().__init__()
        self.unknown = nn.Parameter(torch.zeros(1, dim), requires_grad=False)
        self.known = nn.Parameter(torch.randn(size, dim))

    def forward(self, ids):
        table = torch.cat([self.unknown, self.known])
        return table[ids.where((ids > 0) & (ids < len(table)), 0)]


class CategoryEmbedding(nn.Module):
    def __init__(self, sizes, dims):
        super().__init__()
        self.columns = nn.ModuleList(map(Column, sizes, dims))

    def forward(self, ids):
        return torch.cat([column(ids[:, k]) for k, column in enumerate(self.columns)], dim=1)
