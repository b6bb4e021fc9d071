"""Signals that syncfields sends.

``drift_found``: a write met a stored value that was not the value of its expression, and repaired
it. Arguments: ``sender`` (the target model), ``rule`` (its label), ``using``, ``drifts`` (a list
of ``Drift``).
"""

from django.dispatch import Signal

drift_found = Signal()
