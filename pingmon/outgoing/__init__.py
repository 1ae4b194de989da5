"""The one way out: requests of webhooks, and to partners and verifiers; where they may go, and whom they believe."""
