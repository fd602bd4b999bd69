#!/usr/bin/env python3
"""Writes effects.json: values of scipy and statsmodels that comparisons and fits are tested against.

    python3 tests/golden/effects.py        # Debian: python3-scipy, python3-statsmodels
"""
import json
import pathlib

import numpy as np
import scipy
import scipy.stats as st
import statsmodels
import statsmodels.api as sm

out = {"made_with": f"numpy {np.__version__}, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}"}
rng = np.random.default_rng(20251125)

# Welch: one-sided bounds and p values of the second mean minus the first.
out["welch"] = []
for m1, e1, n1, m2, e2, n2, threshold in ((0.9, 0.03, 100, 0.82, 0.04, 80, -0.02), (0.5, 0.05, 20, 0.62, 0.02, 200, 0.05), (0.4, 0.1, 5, 0.38, 0.05, 9, 0)):
    d, e = m2 - m1, np.hypot(e1, e2)
    df = (e1**2 + e2**2) ** 2 / (e1**4 / (n1 - 1) + e2**4 / (n2 - 1))
    out["welch"].append(dict(
        m1=m1, e1=e1, n1=n1, m2=m2, e2=e2, n2=n2, threshold=threshold, low=float(d - st.t.ppf(0.95, df) * e), high=float(d + st.t.ppf(0.95, df) * e),
        above=float(st.t.sf((d - threshold) / e, df)), below=float(st.t.cdf((d - threshold) / e, df))))

# A power law of needed tokens in length: exponent with its 95 % interval, from a regression of logarithms.
length = np.array([1024, 2048, 4096, 8192, 16384])
needed = np.array([310.0, 420.0, 640.0, 850.0, 1290.0])
fit = sm.OLS(np.log(needed), sm.add_constant(np.log(length))).fit()
out["power_law"] = dict(
    length=length.tolist(), needed=needed.tolist(), exponent=float(fit.params[1]), low=float(fit.conf_int(0.05)[1][0]), high=float(fit.conf_int(0.05)[1][1]),
    factor=float(np.exp(fit.params[0])), r2=float(fit.rsquared))

# Scaling, with the sizes of Qwen 2.5 7B, 14B and 72B: score against task, ln size, ln length and ln compression; a fractional logit and the plain logarithmic form, robust errors (HC1).
size, tokens, compression, task = np.meshgrid([7615616512, 14770033664, 72706203648], [1024, 2048, 4096], [1, 2, 4, 8], [0, 1, 2], indexing="ij")
size, tokens, compression, task = (a.ravel() for a in (size, tokens, compression, task))
x = np.column_stack([np.ones(size.size), task == 1, task == 2, np.log(size), np.log(tokens), np.log(compression)]).astype(float)
eta = x @ np.array([-19.0, 1.2, -0.8, 1.1, -0.7, -0.6])
score = np.round(np.clip(1 / (1 + np.exp(-eta)) + rng.normal(0, 0.05, eta.size), 0, 1), 4)
glm = sm.GLM(score, x, family=sm.families.Binomial()).fit(cov_type="HC1", tol=1e-14, maxiter=200)
ols = sm.OLS(score, x).fit(cov_type="HC1")
mu = glm.predict(x)
rank = st.spearmanr(score, mu)
out["scaling"] = dict(
    size=size.tolist(), tokens=tokens.tolist(), compression=compression.tolist(), task=task.tolist(), score=score.tolist(),
    logit=glm.params.tolist(), logit_errors=glm.bse.tolist(), logit_r2=float(1 - ((score - mu) ** 2).sum() / ((score - score.mean()) ** 2).sum()),
    plain=ols.params.tolist(), plain_errors=ols.bse.tolist(), plain_r2=float(ols.rsquared), spearman=float(rank[0]), spearman_p=float(rank[1]))

# Intervals of the coefficients: a jackknife over cells of one size, length and task, whose points share their samples.
cell = (size * 31 + tokens * 7 + task).tolist()
names = sorted(set(cell))
df = len(names) - 1


def jackknife(fit):
    left = np.array([fit(np.array([c != name for c in cell])) for name in names])
    return np.sqrt(df / len(names) * ((left - left.mean(0)) ** 2).sum(0))


whole = np.ones(size.size, bool)
fits = dict(
    logit=lambda rows: sm.GLM(score[rows], x[rows], family=sm.families.Binomial()).fit(tol=1e-14, maxiter=200).params,
    plain=lambda rows: sm.OLS(score[rows], x[rows]).fit().params)
for name, fit in fits.items():
    errors = jackknife(fit) * st.t.ppf(0.975, df)
    out["scaling"][name + "_low"], out["scaling"][name + "_high"] = (fit(whole) - errors).tolist(), (fit(whole) + errors).tolist()

# The longest held out: what is left predicts it.
train = tokens < tokens.max()
for name, fit in fits.items():
    eta = x @ fit(train)
    predicted = 1 / (1 + np.exp(-eta)) if name == "logit" else eta
    left = predicted[~train], score[~train], task[~train]
    ranks = [st.spearmanr(left[0][left[2] == t], left[1][left[2] == t]) for t in range(3)]
    out["scaling"][name + "_held_out"] = dict(
        parameters=fit(train).tolist(), r2=float(1 - ((left[1] - left[0]) ** 2).sum() / ((left[1] - left[1].mean()) ** 2).sum()),
        errors=[float(np.abs(left[1] - left[0])[left[2] == t].mean()) for t in range(3)],
        rank=[float(r[0]) for r in ranks], rank_p=[float(r[1]) for r in ranks])

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
