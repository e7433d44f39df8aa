"""Certificates that are not valid now, and those that are renewed or only expire soon."""

from datetime import timedelta

import pytest

from sre_agent.detectors.network.certificates import detect
from sre_agent.evidence.finding import FindingKind as K
from sre_agent.evidence.series import Series
from tests.detectors.neighbourhood import NOW, ago, iso, meta, only, view

SOON = iso(NOW + timedelta(days=3))


def certificate(ready, ends=None, **metadata):
    told = [{"type": "Ready", "status": ready, "message": "Issuer not found", "lastTransitionTime": ago(hours=1)}]
    status = {"conditions": told, **({"notAfter": ends} if ends else {})}
    return {"kind": "Certificate", "metadata": meta("web", **metadata), "status": status}


def test_a_certificate_that_ran_out_or_was_never_issued_is_told():
    found = only(detect(view(certificate("False", ago(days=1)))))
    assert (found.kind, found.object, found.namespace) == (K.CERTIFICATE_EXPIRED, "certificate/web", "shop")
    assert ("valid until 2026-03-03" in found.cause, found.strength, found.onset) == (True, 0.6, NOW - timedelta(days=1))
    assert "Issuer not found" in only(detect(view(certificate("False")))).cause


@pytest.mark.parametrize(
    "item", [certificate("True", SOON), certificate("False", SOON), certificate("True"), {"kind": "Certificate"}]
)
def test_a_certificate_that_is_valid_or_being_renewed_is_silent(item):
    assert detect(view(item)) == ()


def test_expiry_times_that_exporters_measure_count_once_they_have_passed():
    def expiry(metric, at, **labels):
        return Series(labels={"__name__": metric, **labels}, samples=((NOW.timestamp(), at),)).model_dump(mode="json")

    past = (NOW - timedelta(hours=2)).timestamp()
    found = only(detect(view(series=[expiry("probe_ssl_earliest_cert_expiry", past, instance="https://pay.example.com")])))
    assert found.object == "certificate/https:--pay.example.com"
    for fine in (NOW.timestamp() + 3600, float("nan"), 0.0):
        assert detect(view(series=[expiry("certmanager_certificate_expiration_timestamp_seconds", fine, name="web")])) == ()
