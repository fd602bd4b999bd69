#!/usr/bin/env python3
"""Writes statistics.json.br (by the program brotli): values of an independent implementation (scipy, statsmodels, numpy) that the statistics are tested against.

    python3 tests/golden/statistics.py        # Debian: python3-scipy, python3-statsmodels
"""
import json
import pathlib
import subprocess

import numpy as np
import scipy
import scipy.stats as st
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

out = {"made_with": f"numpy {np.__version__}, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}"}
rng = np.random.default_rng(20251124)

out["normal"] = [dict(z=z, p=float(st.norm.cdf(z))) for z in (-8, -3, -1.2, -0.1, 0, 0.5, 1.7, 2.5, 6)]
out["student"] = [dict(t=t, df=df, p=float(st.t.cdf(t, df))) for df in (1, 2.5, 9, 99, 1500) for t in (-6, -1.3, 0, 0.4, 2, 12)]
out["beta"] = [dict(x=x, a=a, b=b, p=float(st.beta.cdf(x, a, b))) for a, b in ((0.5, 0.5), (2, 3), (1, 100), (40, 7), (300, 900)) for x in (0.01, 0.2, 0.27, 0.5, 0.9)]
out["noncentral"] = [dict(t=t, df=df, nc=nc, p=float(st.nct.cdf(t, df, nc))) for df in (3, 19, 250) for nc in (-1, 0, 0.7, 2.5, 5) for t in (-2, 0.3, 1.7, 4)]
out["power"] = [
    dict(effect=e, n=n, alpha=a, power=float(TTestPower().power(e, n, a, alternative="larger")))
    for e in (0.1, 0.3, 0.8) for n in (8, 50, 400) for a in (0.05, 0.005)]
out["needed"] = [
    dict(effect=e, alpha=a, power=p, n=float(TTestPower().solve_power(e, None, a, p, alternative="larger")))
    for e in (0.05, 0.2, 0.6, 1.5) for a in (0.05, 0.01) for p in (0.8, 0.9)]
out["holm"] = []
for p in ([0.01, 0.04, 0.03, 0.005], [0.5, 0.001, 0.001, 0.2, 0.049], [0.9], [0.02, 0.02, 0.02]):
    out["holm"].append(dict(p=p, adjusted=[float(x) for x in multipletests(p, method="holm")[1]]))
out["welch"] = []
for m1, s1, n1, m2, s2, n2 in ((0.9, 0.3, 100, 0.82, 0.38, 100), (0.5, 0.2, 20, 0.55, 0.4, 50), (1, 0, 8, 0.7, 0.45, 8)):
    t, p = st.ttest_ind_from_stats(m1, s1, n1, m2, s2, n2, equal_var=False, alternative="greater")
    out["welch"].append(dict(m1=m1, s1=s1, n1=n1, m2=m2, s2=s2, n2=n2, p=float(p)))

# The bound of a bounded mean: Clopper-Pearson for 0 and 1, and otherwise the quantile of simulated Dirichlet sums.
out["bound"] = []
for n, k in ((8, 0), (8, 3), (100, 0), (100, 1), (100, 30), (500, 2)):
    values = [1.0] * k + [0.0] * (n - k)
    out["bound"].append(dict(values=values, maximum=1, confidence=0.95, bound=float(st.beta.ppf(0.95, k + 1, n - k)), tolerance=1e-9))
for values, maximum in (
        ([0, 0.25, 0.5, -0.25, 0, 0, 1, -1, 0, 0.75], 1), (list(np.round(rng.normal(0.02, 0.2, 60).clip(-1, 1), 3)), 1), ([0.1] * 5, 0.9)):
    values = [float(v) for v in values]
    z = np.array(values + [maximum])
    draws = []
    for _ in range(100):
        e = rng.exponential(size=(100000, len(z)))
        draws.append(e @ z / e.sum(1))
    out["bound"].append(dict(values=values, maximum=maximum, confidence=0.95, bound=float(np.quantile(np.concatenate(draws), 0.95)), tolerance=3e-4))

# Paired bootstrap: percentile interval of the mean difference.
first = np.round(rng.uniform(0, 1, 60), 3)
second = np.round((first - 0.05 + rng.normal(0, 0.1, 60)).clip(0, 1), 3)
res = st.bootstrap((first, second), lambda a, b, axis: np.mean(a - b, axis), paired=True, vectorized=True, n_resamples=400000, batch=20000, method="percentile", random_state=rng)
out["bootstrap"] = dict(first=first.tolist(), second=second.tolist(), low=float(res.confidence_interval.low), high=float(res.confidence_interval.high), error=float(res.standard_error))

# Least squares.
x = rng.normal(size=(40, 3))
y = x @ np.array([1.5, -0.7, 0.01]) + 2 + rng.normal(0, 0.5, 40)
fit = sm.OLS(y, sm.add_constant(x)).fit()
out["least_squares"] = dict(
    x=x.tolist(), y=y.tolist(), coefficients=fit.params.tolist(), errors=fit.bse.tolist(), interval=fit.conf_int(0.05).tolist(), r2=float(fit.rsquared), p=fit.pvalues.tolist())
a, b = rng.integers(0, 8, 25), rng.integers(0, 8, 25)
b = a + b
rho = st.spearmanr(a, b)
out["spearman"] = dict(a=[float(v) for v in a], b=[float(v) for v in b], rho=float(rho[0]))

path = pathlib.Path(__file__).with_suffix(".json.br")
subprocess.run(["brotli", "-fq", "11", "-w", "24", "-o", path, "-"], input=(json.dumps(out, separators=(",", ":")) + "\n").encode(), check=True)
