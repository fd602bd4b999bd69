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

# Scaling: score against task, ln size, ln length and ln compression; a fractional logit and the plain logarithmic form, robust errors (HC1).
size, tokens, compression, task = np.meshgrid([1e6, 3e6, 9e6], [1024, 2048, 4096], [1, 2, 4, 8], [0, 1, 2], indexing="ij")
size, tokens, compression, task = (a.ravel() for a in (size, tokens, compression, task))
x = np.column_stack([np.ones(size.size), task == 1, task == 2, np.log(size), np.log(tokens), np.log(compression)]).astype(float)
eta = x @ np.array([-9.0, 1.2, -0.8, 1.1, -0.7, -0.6])
score = np.round(np.clip(1 / (1 + np.exp(-eta)) + rng.normal(0, 0.05, eta.size), 0, 1), 4)
glm = sm.GLM(score, x, family=sm.families.Binomial()).fit(cov_type="HC1", tol=1e-14, maxiter=200)
ols = sm.OLS(score, x).fit(cov_type="HC1")
mu = glm.predict(x)
rank = st.spearmanr(score, mu)
out["scaling"] = dict(
    size=size.tolist(), tokens=tokens.tolist(), compression=compression.tolist(), task=task.tolist(), score=score.tolist(),
    logit=glm.params.tolist(), logit_errors=glm.bse.tolist(), logit_r2=float(1 - ((score - mu) ** 2).sum() / ((score - score.mean()) ** 2).sum()),
    plain=ols.params.tolist(), plain_errors=ols.bse.tolist(), plain_r2=float(ols.rsquared), spearman=float(rank[0]), spearman_p=float(rank[1]))

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
