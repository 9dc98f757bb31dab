"""Folding of endpoints: what is an id or a secret, and what is a name."""

from __future__ import annotations

import base64
import random
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.usage.endpoints import fold_endpoint


@pytest.mark.parametrize(
    ("endpoint", "folded"),
    [
        # ids
        ("/users/8731", "/users/{id}"),
        ("GET /users/8731/cards/9", "GET /users/{id}/cards/{id}"),
        ("POST users/8731", "POST users/{id}"),
        ("/files/0b5c5a56-5b1e-4a5b-8c5e-0123456789ab", "/files/{id}"),
        ("/files/%7B0b5c5a56-5b1e-4a5b-8c5e-0123456789ab%7D", "/files/{id}"),
        ("/o/507f1f77bcf86cd799439011?full=1#top", "/o/{id}"),
        ("/s/Zx8Kq2mN4pR7tV9wB3cD", "/s/{id}"),
        ("/s/sk_live_4eC39HqLyjWDarjtT1zdp7dc", "/s/{id}"),
        ("/s/ABCD1-EFGH2-IJKL3-MNOP4", "/s/{id}"),
        ("/s/abcdefghijklmnopqrstuvw1", "/s/{id}"),
        ("/orders/order-2024-03-17-000123", "/orders/{id}"),
        ("/tickets/issue-1234-fix-the-bug", "/tickets/{id}"),
        ("/projects/group%2F8731", "/projects/{id}"),
        # web tokens
        ("/v/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/v/{id}"),
        ("/v/eyJhbGci.eyJzdWIi.sig/x", "/v/{id}/x"),
        ("/v/token=eyJhbGci.eyJzdWIi.sig", "/v/{id}"),
        ("verify eyJhbGci.eyJzdWIi.sig", "verify {id}"),
        # hooks
        ("https://hooks.slack.com/services/T000/B000/XXXX", "https://hooks.slack.com/services/{id}/{id}/{id}"),
        ("POST /services/T024BE7LD/B024BE7LE/abcdefghijklmnopqrstuvwx", "POST /services/{id}/{id}/{id}"),
        ("/triggers/T024BE7LD/8731/abcdef", "/triggers/{id}/{id}/{id}"),
        ("/services/T024BE7LD/B024BE7LE", "/services/{id}/{id}"),
        ("/api/webhooks/123456789012345678/TOKEN", "/api/webhooks/{id}/{id}"),
        ("/api/v10/webhooks/8731/a-B_c/slack", "/api/v10/webhooks/{id}/{id}/slack"),
        ("/bot123456:AAbbCC/sendMessage", "/{id}/sendMessage"),
        ("/bot123456%3AAAbbCC/sendMessage", "/{id}/sendMessage"),
        # sessions and other parameters
        ("/app/cart.jsp;jsessionid=A1B2C3?x=1", "/app/cart.jsp"),
        ("/app;jsessionid=A1B2/cart;v=2", "/app/cart"),
        ("/app%3Bjsessionid%3DA1B2/cart", "/app/cart"),
        ("/app%253Bjsessionid%253DA1B2", "/app"),
        ("/app&token=A1B2", "/app"),
        ("/app%3Ftoken%3DA1B2", "/app"),
        # mail addresses
        ("/u/jane@example.com", "/u/{id}"),
        ("/u/jane.doe+tag@mail.example.co.uk/orders", "/u/{id}/orders"),
        ("/u/jane%40example.com", "/u/{id}"),
        ("/u/jane%2540example.com", "/u/{id}"),
        ("/u/jane@163.com", "/u/{id}"),
        ("/.well-known/acct:jane@example.com", "/.well-known/{id}"),
        ("https://user:password@host/p", "https://{id}/p"),
        # long and encoded tokens
        ("/k/4eC39HqL.yjWDarjt.T1zdp7dc", "/k/{id}"),
        ("/k/4eC39HqL:yjWDarjt:T1zdp7dc", "/k/{id}"),
        ("/k/4eC39HqL~yjWDarjt~T1zdp7dc", "/k/{id}"),
        ("/k/key=4eC39HqLyjWDarjt", "/k/{id}"),
        ("/k/Zm9v%2BYmFy%2FMTIz%3D%3D", "/k/{id}"),
        ("/k/Zm9v%252bYmFy%252fMTIz%253d%253d", "/k/{id}"),
        ("/k/Zm9vYmFy+MTIz", "/k/{id}"),
        ("/k/QkRzXvTwLmNpQrSt==", "/k/{id}"),
        ("/k/Zm9vYmE=", "/k/{id}"),
        ("/k/%00%9f%01%8e%02", "/k/{id}"),
        # queries
        ("GET https://host/p?token=x", "GET https://host/p"),
        ("POST p?x", "POST p"),
        ("p#access_token=abc", "p"),
        ("user.created?key=x", "user.created"),
    ],
)
def test_ids_and_secrets_are_folded(endpoint: str, folded: str) -> None:
    """One segment at a time; queries, fragments and parameters are dropped."""
    assert fold_endpoint(endpoint) == folded
    assert fold_endpoint(folded) == folded


@pytest.mark.parametrize(
    "endpoint",
    [
        "/",
        "/v1/charges",
        "/deadbeefcafe",
        "/internationalization-settings",
        "s3.amazonaws.com:GetObject",
        "8731",
        "user.created",
        "grpc.Service/Method",
        "com.example.users.v1.UserService2/GetUser",
        "UserController#show",
        "(unknown)",
        "GET /v1.2/some-long-resource-name-with-words",
        "/v1/customers:batchGet",
        "/static/app.min.js",
        "/static/jquery-3.7.1.slim.min.js",
        "/static/company-logo-header@2x.png",
        "/npm/lodash@4.17.21.tgz",
        "/npm/@scope/package",
        "/robots.txt",
        "/.well-known/openid-configuration",
        "/api/v2/report-builder-configuration",
        "/api/v2/report-builder-v2-configuration",
        "/blog/iphone-14-pro-max-review",
        "/reports/annual-business-report-2024",
        "/exports/report-2024-03-17.csv",
        "/downloads/some-package-1.12.3-linux-x86_64.tar.gz",
        "/v1/projects/-/locations/europe-west1/keyRings",
        "/apis/rbac.authorization.k8s.io/v1beta1/clusterrolebindings",
        "/2015-03-31/functions",
        "/Microsoft.Compute/virtualMachines",
        "/oauth2/token",
        "/odata/Products(8731)",
        "/search/iPad+Pro",
        "/caf%C3%A9-menu-2024-special-offers",
        "/wiki/%E6%97%A5%E6%9C%AC%E8%AA%9E%E3%81%AE%E3%83%9A%E3%83%BC%E3%82%B8",
        "/wiki/Who%3F",
        "/a%20b",
        "/projects/group%2Fproject/issues",
        "/services/TEST/BETA/status",
        "/services/T2/checks/status",
        "/api/webhooks/{id}/deliveries",
        "/hooks/webhooks/{id}/Deliveries",
        "https://api.eu-west-1.example-company.com:8443/p",
        "https://ec2-203-0-113-25.compute-1.amazonaws.com/p",
        "/u/{key}/x",
    ],
)
def test_names_stay(endpoint: str) -> None:
    """Words, versions, files, hosts and operations, also long ones with a few numbers."""
    assert fold_endpoint(endpoint) == endpoint


PIECES = st.sampled_from(
    [
        *[
            "/",
            "//",
            " ",
            "://",
            "?",
            "#",
            ";a=",
            "&b=",
            "%3B",
            "%25",
            "%2F",
            "%40",
            "%",
            "=",
            "==",
            "+",
            "@",
            ".",
            ":",
            "-",
        ],
        *[
            "eyJhbGci",
            "services",
            "api",
            "webhooks",
            "v1",
            "T000",
            "B000",
            "bot12",
            "{id}",
            "8731",
            "word",
            "x.com",
            "aB3dE6gH9",
        ],
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=16).map("".join)))
def test_folding_what_is_folded_changes_nothing(endpoint: str) -> None:
    """Merged records and stored days are folded again."""
    folded = fold_endpoint(endpoint)
    assert fold_endpoint(folded) == folded


@pytest.mark.parametrize("seed", range(200))
def test_random_tokens_are_folded_in_every_encoding(seed: int) -> None:
    """Base64 of random bytes, in both alphabets, as it is, percent-encoded, and percent-encoded twice."""
    secret = random.Random(seed).randbytes(24 + seed % 40)
    for token in (base64.b64encode(secret).decode(), base64.urlsafe_b64encode(secret).decode()):
        encoded = quote(token, safe="")
        assert fold_endpoint(f"/k/{encoded}/x") == "/k/{id}/x"
        assert fold_endpoint(f"/k/{quote(encoded)}/x") == "/k/{id}/x"


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "1",
        "a-",
        "aB1",
        "%",
        "%25",
        "25",
        "%C3",
        "@a.",
        "a@",
        "a@1.",
        ";a",
        "eyJ",
        "=",
        "+a",
        " ",
        "a b",
        "/",
        "T1",
        "webhooks/",
    ],
)
def test_folding_takes_time_in_proportion_to_the_text(part: str) -> None:
    """A hundred thousand characters take a fraction of a second; a pattern that goes back takes minutes."""
    began = time.process_time()
    for start in ("/", "%", "/@", "/bot1:"):
        fold_endpoint(start + part * (100_000 // len(part)) + "!")
    assert time.process_time() - began < 10
