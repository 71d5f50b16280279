"""scikit-learn on the features that the benchmark writes: a command a line in; out seconds, and the largest gradient entry where it stopped (nan for neighbours)."""
import sys
import time

import numpy as np
from joblib import Parallel, delayed
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

folder, width, tolerance = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
train = np.fromfile(folder + "/train.f32", np.float32).reshape(-1, width).astype(np.float64)
test = np.fromfile(folder + "/test.f32", np.float32).reshape(-1, width).astype(np.float64)
labels = np.fromfile(folder + "/labels.i32", np.int32)


def regression():
    return LogisticRegression(C=1.0, tol=tolerance, max_iter=10_000)


def gradient(model, rows):
    """Largest entry of the gradient of sum of losses + 0.5 |W|^2 at a fitted model, in float64."""
    x, residuals = train[rows], model.predict_proba(train[rows])
    residuals[np.arange(len(x)), np.searchsorted(model.classes_, labels[rows])] -= 1
    return max(np.abs(residuals.T @ x + model.coef_).max(), np.abs(residuals.sum(0)).max())


def draw(size, repeat):
    random = np.random.RandomState(repeat)
    return np.concatenate([random.permutation(np.flatnonzero(labels == c))[:size] for c in np.unique(labels)])


def fit_drawn(size, repeat):
    rows = draw(size, repeat)
    with threadpool_limits(1):
        model = regression().fit(train[rows], labels[rows])
        model.predict(test)
    return model, rows


def grid(sizes, repeats):
    return Parallel(n_jobs=2, prefer="threads")(delayed(fit_drawn)(n, r) for n in sizes for r in range(repeats))


def full():
    model = regression().fit(train, labels)
    model.predict(test)
    return [(model, np.arange(len(train)))]


def neighbours(ks):
    near = NearestNeighbors(metric="cosine", algorithm="brute", n_jobs=2).fit(train)
    voted = labels[near.kneighbors(test, n_neighbors=max(ks), return_distance=False)]
    counts = np.cumsum(voted[:, :, None] == np.arange(labels.max() + 1), axis=1)
    return [counts[:, k - 1].argmax(1) for k in ks]


for line in sys.stdin:
    words = line.split()
    numbers = [int(w) for w in words[1:]]
    start = time.perf_counter()
    fitted = []
    if words[0] == "grid":
        fitted = grid(numbers[1:], numbers[0])
    elif words[0] == "full":
        fitted = full()
    else:
        neighbours(numbers)
    seconds = time.perf_counter() - start
    print(seconds, max((gradient(*f) for f in fitted), default=float("nan")), flush=True)
