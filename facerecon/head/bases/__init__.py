"""Head models of others, from files that the user brings, fitted to our heads."""

from __future__ import annotations

from facerecon.head.bases.fit import BasisFit, fit_basis
from facerecon.head.bases.linear import BasisError, LinearBasis
from facerecon.head.bases.readers import load_basis

__all__ = ["BasisError", "BasisFit", "LinearBasis", "fit_basis", "load_basis"]
