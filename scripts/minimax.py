#!/usr/bin/env python3
"""minimax.py - the polynomials of ir/math*.c: Lawson's algorithm in 60 digits, coefficients rounded one by one.

Every polynomial is fitted to the relative error of the whole function that it is a part of: minimise
max |(p(t) - g(t)) * w(t)| over t in [a, b].  After each rounding of the coefficient that weighs most the others are
fitted again, so that the rounding errors are evened out.  Needs mpmath.
"""
import struct
import sys

from mpmath import (asin, atan, cos, erf, erfc, exp, inf, log, lu_solve, matrix, mp, mpf, pi, sin,
                    sqrt, tanh)

mp.dps = 60


def chebyshev(a, b, n):
    return [(a + b) / 2 - (b - a) / 2 * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def minimax(g, w, a, b, powers, fixed, rounds):
    """Coefficients for `powers`, with the sum of fixed[k] * t^k already given; returns (coefficients, error).

    Lawson's algorithm: least squares on Chebyshev points, each weighted by the errors it had so far."""
    n = len(powers)
    points = chebyshev(a, b, 16 * n + 32)
    weights = [w(t) for t in points]
    rows = [[t**k * wt for k in powers] for t, wt in zip(points, weights)]
    wanted = [(g(t) - sum(c * t**k for k, c in fixed.items())) * wt for t, wt in zip(points, weights)]
    scale = [max(abs(r[j]) for r in rows) for j in range(n)]
    lawson = [mpf(1) / len(points)] * len(points)
    best, best_error = None, inf
    for _ in range(rounds):
        m, v = matrix(n, n), matrix(n, 1)
        for r, y, l in zip(rows, wanted, lawson):
            for i in range(n):
                v[i] += l * r[i] / scale[i] * y
                for j in range(i + 1):
                    m[i, j] += l * r[i] / scale[i] * r[j] / scale[j]
        for i in range(n):
            for j in range(i):
                m[j, i] = m[i, j]
        x = lu_solve(m, v)
        c = [x[j] / scale[j] for j in range(n)]
        errors = [abs(sum(cj * rj for cj, rj in zip(c, r)) - y) for r, y in zip(rows, wanted)]
        if max(errors) < best_error:
            best, best_error = c, max(errors)
        total = sum(l * e for l, e in zip(lawson, errors))
        if total == 0:
            break
        lawson = [l * e / total for l, e in zip(lawson, errors)]
    return best, best_error


def round_to(x, bits):
    if bits == 24:
        return mpf(struct.unpack('f', struct.pack('f', float(x)))[0])
    return mpf(float(x))


def fit(name, g, w, a, b, degree, bits):
    fixed, powers, size = {}, list(range(degree + 1)), max(abs(mpf(a)), abs(mpf(b)))
    a, b = mpf(a), mpf(b)
    c, error = minimax(g, w, a, b, powers, fixed, 25)
    exact_error = error
    while powers:
        k = max(range(len(powers)), key=lambda j: abs(c[j]) * size**powers[j])
        fixed[powers[k]] = round_to(c[k], bits)
        del powers[k]
        if powers:
            c, _ = minimax(g, w, a, b, powers, fixed, 8)
    final = max(abs((sum(fixed[k] * t**k for k in fixed) - g(t)) * w(t)) for t in chebyshev(a, b, 400))
    print(f'/* {name}: degree {degree} on [{mp.nstr(a, 8)}, {mp.nstr(b, 8)}], relative error '
          f'2^{mp.nstr(log(final, 2), 4)} (before rounding 2^{mp.nstr(log(exact_error, 2), 4)}) */')
    print('{' + ', '.join(float(fixed[k]).hex() for k in sorted(fixed)) + '},')


def near(f, series):
    """f with its removable singularity at 0 filled by the first terms of its series."""
    return lambda t: f(t) if abs(t) > mpf(10)**-18 else series


half_ln2 = log(mpf(2)) / 2 * mpf('1.001')
root = sqrt(mpf(2))
edge_tanh = mpf('0.625')
edge_erf32 = mpf('0.9')


def erfcx_argument(t):
    """x of t = (x - 2.5) / (x + 2.5)."""
    return mpf('2.5') * (1 + t) / (1 - t)


def tables():
    r = {}
    r['exp32'] = lambda: fit('exp32', near(lambda t: (exp(t) - 1 - t) / t**2, mpf(1) / 2),
                             lambda t: t**2 / exp(t), -half_ln2, half_ln2, 4, 24)
    r['exp64'] = lambda: fit('exp64', near(lambda t: (exp(t) - 1 - t) / t**2, mpf(1) / 2),
                             lambda t: t**2 / exp(t), -half_ln2, half_ln2, 9, 53)
    r['expm64'] = lambda: fit('expm64', near(lambda t: (exp(t) - 1 - t) / t**2, mpf(1) / 2),
                              lambda t: t, -half_ln2, half_ln2, 10, 53)
    r['log32'] = lambda: fit('log32', near(lambda t: (log(1 + t) - t + t**2 / 2) / t**3, mpf(1) / 3),
                             near(lambda t: t**3 / log(1 + t), mpf(0)), 1 / root - 1, root - 1, 8, 24)
    u = (root - 1) / (root + 1)
    r['log64'] = lambda: fit('log64', near(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, mpf(2) / 3),
                             lambda z: z / 2, 0, u**2 * mpf('1.001'), 6, 53)
    r['logdd'] = lambda: fit('logdd', near(lambda z: ((log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z - mpf(2) / 3) / z, mpf(2) / 5),
                             lambda z: z**2 / 2, 0, u**2 * mpf('1.001'), 8, 53)
    r['tanh32'] = lambda: fit('tanh32', near(lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 3),
                              lambda z: z, 0, edge_tanh**2, 5, 24)
    r['erf32'] = lambda: fit('erf32', near(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1),
                             lambda z: mpf(1) if z == 0 else sqrt(z) / erf(sqrt(z)), 0, edge_erf32**2, 6, 24)
    r['erfc32'] = lambda: fit('erfc32', lambda x: -log(erfc(x)) / x, lambda x: x * erfc(x) / erf(x), edge_erf32, 4, 7, 24)
    r['erf64'] = lambda: fit('erf64', near(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1),
                             lambda z: mpf(1) if z == 0 else sqrt(z) / erf(sqrt(z)), 0, 1, 11, 53)
    t0, t1 = (1 - mpf('2.5')) / (1 + mpf('2.5')), (mpf(6) - mpf('2.5')) / (mpf(6) + mpf('2.5'))
    r['erfcx64'] = lambda: fit('erfcx64', lambda t: exp(erfcx_argument(t)**2) * erfc(erfcx_argument(t)),
                               lambda t: exp(-erfcx_argument(t)**2), t0, t1, 15, 53)
    q = (pi / 4 * mpf('1.0001'))**2
    r['sin64'] = lambda: fit('sin64', near(lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 6), lambda z: z, 0, q, 5, 53)
    r['cos64'] = lambda: fit('cos64', near(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(1) / 24), lambda z: z**2 * root, 0, q, 5, 53)
    r['atan64'] = lambda: fit('atan64', near(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 3),
                              lambda z: z, 0, (root - 1)**2 * mpf('1.001'), 11, 53)
    r['asin64'] = lambda: fit('asin64', near(lambda z: (asin(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 6),
                              lambda z: z, 0, mpf('0.25'), 12, 53)
    return r


def constants():
    ln2 = log(mpf(2))
    for name, x, bits in (('ln2 f32 in 15 bits', ln2, 15), ('ln2 f64 in 32 bits', ln2, 32), ('pi/2 33', pi / 2, 33)):
        rest, parts = x, []
        for _ in range(4):
            if rest == 0:
                break
            e = mp.floor(log(abs(rest), 2)) - bits + 1
            part = mp.floor(rest / mpf(2)**e) * mpf(2)**e
            parts.append(float(part).hex())
            rest -= part
        parts.append('rest ' + float(rest).hex())
        print(name, parts)
    for name, x in (('ln2', ln2), ('log2e', 1 / ln2), ('pi/2', pi / 2), ('pi/4', pi / 4), ('pi', pi), ('2/pi', 2 / pi)):
        hi = mpf(float(x))
        print(name, hi.__float__().hex(), float(x - hi).hex())
    bits = int(mp.floor(2 / pi * mpf(2)**(32 * 42))) if mp.dps > 440 else None
    if bits:
        print(', '.join(f'0x{bits >> (32 * (41 - i)) & 0xffffffff:08x}' for i in range(42)))


if __name__ == '__main__':
    wanted = sys.argv[1:]
    if wanted == ['constants']:
        mp.dps = 500
        constants()
    else:
        for key, run in tables().items():
            if not wanted or key in wanted:
                run()
