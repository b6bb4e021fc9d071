"""Signals that syncfields sends.

``synced``: the synced fields of some rows were written, and that is committed. Sent once for each
transaction and target model, after COMMIT, whatever wrote, and only where somebody listens. What a
receiver raises is logged by Django (``django.dispatch``). Arguments: ``sender`` (the target model),
``pks`` (a list, in order), ``fields`` (the names of the fields, of all these rows together),
``using``.

``drift_found``: a write met a stored value that was not the value of its expression, and repaired
it. Arguments: ``sender`` (the target model), ``rule`` (its label), ``using``, ``drifts`` (a list
of ``Drift``: the value that was ``stored`` before the write, and what was ``expected`` there; what
is expected after it only where the database alone knows what the write adds).
"""

from django.dispatch import Signal

synced = Signal(use_caching=True)
drift_found = Signal()
