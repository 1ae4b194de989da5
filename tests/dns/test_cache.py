"""What is remembered of names, and for how long."""

from __future__ import annotations

from pingmon.dns.cache import NEGATIVE_S, TTL_S, DnsCache, clamped


def test_what_is_known_runs_out_and_is_then_gone() -> None:
    cache: DnsCache[str, int] = DnsCache()
    cache.put("k", 1, 10.0, now_s=100.0, stale_s=5.0)
    for now, value in ((100.0, 1), (109.9, 1), (114.9, 1), (115.0, None)):
        known = cache.get("k", now)
        assert (known and known.value) == value
    cache.put("k", 2, 10.0, now_s=200.0, stale_s=0)
    assert cache.get("k", 210.0) is None
    assert len(cache) == 0


def test_what_has_not_been_asked_for_the_longest_is_forgotten_first() -> None:
    cache: DnsCache[int, int] = DnsCache(most=3)
    for key in (1, 2, 3):
        cache.put(key, key, 10.0, now_s=0.0)
    cache.get(1, 1.0)
    cache.put(4, 4, 10.0, now_s=0.0)
    assert [key for key in (1, 2, 3, 4) if cache.get(key, 1.0)] == [1, 3, 4]


def test_ttls_are_kept_within_limits() -> None:
    assert [clamped(ttl) for ttl in (0, 60, 1e9)] == [TTL_S[0], 60, TTL_S[1]]
    assert [clamped(ttl, NEGATIVE_S) for ttl in (0, 20, 3600)] == [NEGATIVE_S[0], 20, NEGATIVE_S[1]]
