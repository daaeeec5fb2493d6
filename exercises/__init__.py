"""The exercises of the reports, one script each; ``python -m exercises`` runs them all."""
