"""From rules to the plan of what is kept, and how. No query is ever run here."""
