"""For all tests: hypothesis judges laws, never speed; the machine may be busy."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "palaver", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("palaver")
