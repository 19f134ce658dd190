"""What Google's answers mean: the table of facts, row by row."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assetflow.connectors.google.classify import classify, read_fault
from assetflow.connectors.google.tokenfaults import classify_grant
from assetflow.errors import (
    AuthError,
    ConnectorError,
    ListingExpired,
    PayloadError,
    PermissionDenied,
    RateLimited,
    RemoteConflict,
    RemoteNotFound,
    RemoteRejected,
    TransientError,
)
from assetflow.wire import Call, Reply

LIST = Call(
    method="GET",
    path="admin/directory/v1/customer/my_customer/devices/chromeos",
    operation="list-chromebooks",
    params=(("maxResults", "300"),),
)
PAGE = LIST.with_params(pageToken="t1")
WRITE = Call(method="POST", path="x:issueCommand", operation="issue-command")


def directory(code, reason, message="", *, domain="global", status=None):
    envelope = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    if status:
        envelope["status"] = status
    return Reply(status=code, headers={}, body=json.dumps({"error": envelope}).encode())


def modern(code, status, message="", details=()):
    envelope = {"code": code, "status": status, "message": message, "details": list(details)}
    return Reply(status=code, headers={}, body=json.dumps({"error": envelope}).encode())


def plain(code, text, **headers):
    return Reply(status=code, headers=headers, body=text.encode())


ROWS = [
    # --- quotas: refused before they ran, so every method may be made again
    (LIST, directory(403, "userRateLimitExceeded", domain="usageLimits"), RateLimited, "always"),
    (LIST, directory(403, "rateLimitExceeded"), RateLimited, "always"),
    (LIST, directory(403, "quotaExceeded"), RateLimited, "always"),
    (LIST, directory(403, "sharingRateLimitExceeded"), RateLimited, "always"),
    (WRITE, directory(403, "quotaExceeded"), RateLimited, "always"),
    (LIST, directory(429, "rateLimitExceeded"), RateLimited, "always"),
    (LIST, modern(429, "RESOURCE_EXHAUSTED"), RateLimited, "always"),
    (LIST, plain(429, "Quota exceeded for quota metric 'Queries'"), RateLimited, "always"),
    (LIST, plain(429, "<html>slow down</html>"), RateLimited, "always"),
    (LIST, plain(403, "Request rate higher than configured."), RateLimited, "always"),
    (
        WRITE,
        modern(403, "PERMISSION_DENIED", "Quota exceeded for quota metric 'Write requests for Chrome Devices'"),
        RateLimited,
        "always",
    ),
    (LIST, directory(503, "backendError", "Quota exceeded for the current request"), RateLimited, "always"),
    (
        LIST,
        modern(403, "PERMISSION_DENIED", details=[{"reason": "RATE_LIMIT_EXCEEDED"}]),
        RateLimited,
        "always",
    ),
    # --- what passes: reads again, writes only when they are idempotent
    (LIST, directory(500, "backendError"), TransientError, "idempotent"),
    (LIST, directory(500, "internalError"), TransientError, "idempotent"),
    (LIST, modern(500, "INTERNAL"), TransientError, "idempotent"),
    (WRITE, directory(500, "backendError"), TransientError, "idempotent"),
    (LIST, modern(503, "UNAVAILABLE", "The service is currently unavailable."), TransientError, "idempotent"),
    (LIST, directory(503, "backendError", "Service unavailable. Please try again"), TransientError, "idempotent"),
    (PAGE, directory(503, "backendError", "Service unavailable. Please try again"), TransientError, "idempotent"),
    (LIST, plain(504, ""), TransientError, "idempotent"),
    (LIST, plain(502, "<html>502 Bad Gateway</html>"), PayloadError, "idempotent"),
    # --- the request is wrong
    (LIST, directory(400, "invalidInput", "Invalid Input: INVALID_OU_ID"), RemoteNotFound, "never"),
    (LIST, directory(400, "invalid", "Invalid Ou Id"), RemoteNotFound, "never"),
    (LIST, directory(400, "conditionNotMet"), RemoteRejected, "never"),
    (LIST, modern(400, "FAILED_PRECONDITION"), RemoteRejected, "never"),
    (LIST, modern(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), RemoteRejected, "never"),
    (WRITE, directory(400, "invalid", "Inconsistent Orgunit id and path in request"), RemoteRejected, "never"),
    (LIST, directory(412, "conditionNotMet"), RemoteRejected, "never"),
    (LIST, plain(501, ""), RemoteRejected, "never"),
    (LIST, plain(413, ""), RemoteRejected, "never"),
    # --- who may do what
    (LIST, directory(401, "authError", "Invalid Credentials"), AuthError, "never"),
    (LIST, modern(401, "UNAUTHENTICATED"), AuthError, "never"),
    (LIST, plain(401, "<html>Log in</html>"), AuthError, "never"),
    (LIST, directory(403, "forbidden", "Not Authorized to access this resource/api"), PermissionDenied, "never"),
    (LIST, directory(403, "insufficientPermissions"), PermissionDenied, "never"),
    (LIST, modern(403, "PERMISSION_DENIED"), PermissionDenied, "never"),
    (LIST, directory(403, "accessNotConfigured"), PermissionDenied, "never"),
    (LIST, directory(403, "domainCannotUseApis"), PermissionDenied, "never"),
    (LIST, plain(403, "<html>Blocked by your filter</html>"), PayloadError, "never"),
    # --- what is not there, or is there already
    (LIST, directory(404, "notFound", "Org unit not found"), RemoteNotFound, "never"),
    (LIST, directory(404, "resourceNotFound", "Resource Not Found: userKey"), RemoteNotFound, "never"),
    (LIST, plain(404, "<html>nothing here</html>"), PayloadError, "never"),
    (WRITE, directory(409, "duplicate", "Entity already exists."), RemoteConflict, "never"),
    (WRITE, modern(409, "ABORTED"), RemoteConflict, "idempotent"),
    # --- a good status with a page of somebody else's
    (LIST, plain(200, "<html>Sign in</html>", **{"content-type": "text/html"}), PayloadError, "never"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "reply", "error", "retry"), ROWS)
def test_answers(call, reply, error, retry):
    verdict = classify(call, reply, 1)
    assert type(verdict.error) is error
    assert verdict.retry == retry
    assert verdict.amend is None
    assert verdict.refresh is (error is AuthError)


def test_a_good_answer_has_no_verdict():
    assert classify(LIST, Reply(status=200, headers={}, body=b"{}"), 1) is None
    assert classify(LIST, Reply(status=204, headers={}, body=b""), 1) is None


def test_the_page_size_falls_back_once_to_what_google_names():
    reply = directory(
        400, "invalidParameter", "Invalid value '300'. Values must be within the range: [1, 200]"
    )
    verdict = classify(LIST, reply, 1)
    assert verdict.amend == LIST.with_params(maxResults="200")
    assert classify(verdict.amend, reply, 1).amend is None  # 200 is refused too: final


def test_a_page_size_that_is_refused_without_a_number_falls_back_to_200():
    verdict = classify(LIST, directory(400, "invalidParameter", "Invalid value for maxResults"), 1)
    assert verdict.amend.param("maxResults") == "200"


def test_a_page_token_is_tried_again_after_five_and_ten_seconds_then_the_listing_is_over():
    reply = directory(400, "invalidInput", "Invalid Input: t1")
    first, second, third = (classify(PAGE, reply, attempt) for attempt in (1, 2, 3))
    assert (first.retry, first.pause, first.amend) == ("idempotent", 5.0, None)
    assert (second.retry, second.pause) == ("idempotent", 10.0)
    assert third.retry == "never"
    assert {type(v.error) for v in (first, second, third)} == {ListingExpired}


def test_a_further_page_that_keeps_failing_is_a_listing_that_expired():
    reply = directory(503, "backendError", "Service unavailable. Please try again")
    kinds = [type(classify(PAGE, reply, attempt).error) for attempt in (1, 2, 3, 4)]
    assert kinds == [TransientError, TransientError, ListingExpired, ListingExpired]
    assert type(classify(LIST, reply, 4).error) is TransientError  # a first page cannot be old


def test_a_later_page_of_a_listing_that_is_too_old_says_invalid_argument():
    reply = modern(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
    assert type(classify(PAGE, reply, 3).error) is ListingExpired


def test_a_missing_scope_is_named():
    challenge = (
        'Bearer realm="https://accounts.google.com/", error="insufficient_scope", '
        'scope="https://www.googleapis.com/auth/admin.directory.orgunit '
        'https://www.googleapis.com/auth/admin.directory.orgunit.readonly"'
    )
    reply = Reply(status=403, headers={"www-authenticate": challenge}, body=b"{}")
    error = classify(LIST, reply, 1).error
    assert isinstance(error, PermissionDenied)
    assert "admin.directory.orgunit.readonly" in error.message
    assert len(error.context["scopes"]) == 2
    assert "Domain-wide delegation" in error.hint


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (directory(403, "accessNotConfigured"), "Admin SDK API"),
        (
            modern(403, "PERMISSION_DENIED", details=[{"reason": "SERVICE_DISABLED"}]),
            "Admin SDK API",
        ),
        (directory(403, "domainCannotUseApis"), "API controls"),
        (directory(403, "forbidden", "Not Authorized to access this resource/api"), "Admin roles"),
        (directory(404, "notFound", "Resource Not Found: customerId"), "my_customer"),
        (directory(404, "notFound", "Domain not found."), "my_customer"),
        (directory(400, "invalidInput", "Invalid Input: INVALID_OU_ID"), "by its id"),
    ],
)
def test_hints_say_where_to_go(reply, word):
    assert word in classify(LIST, reply, 1).error.hint


def test_retry_after_is_honoured_where_it_is_sent():
    reply = Reply(status=429, headers={"retry-after": "17"}, body=b"{}")
    verdict = classify(LIST, reply, 1)
    assert (verdict.retry_after, verdict.error.retry_after) == (17.0, 17.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_no_error_repeats_what_google_said(status):
    said = "jane.doe@lincoln.example is not allowed"
    reply = directory(status, "x jane.doe@lincoln.example", said)
    error = classify(PAGE, reply, 1).error
    assert "jane" not in repr(error.as_dict())


@given(
    st.integers(300, 599),
    st.one_of(
        st.binary(max_size=40),
        st.recursive(
            st.one_of(st.none(), st.text(max_size=10), st.integers()),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(
                    st.sampled_from(["error", "errors", "reason", "message", "details", "status"]),
                    inner,
                    max_size=4,
                ),
            ),
            max_leaves=10,
        ).map(lambda found: json.dumps(found).encode()),
    ),
    st.integers(1, 9),
)
def test_any_answer_at_all_has_a_verdict(status, body, attempt):
    reply = Reply(status=status, headers={}, body=body)
    for call in (LIST, PAGE, WRITE):
        verdict = classify(call, reply, attempt)
        assert isinstance(verdict.error, ConnectorError)
        assert verdict.error.hint
    assert read_fault(reply).status == status


# --- the way to a token --------------------------------------------------------------------

TOKEN = Call(
    method="POST", path="https://oauth2.example/token", operation="get-token", idempotent=True
)
SIGN = Call(
    method="POST", path="https://iam.example/x:signJwt", operation="sign-claim", idempotent=True
)


def refusal(status, error, description=""):
    body = json.dumps({"error": error, "error_description": description}).encode()
    return Reply(status=status, headers={}, body=body)


TOKEN_ROWS = [
    (
        refusal(401, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method"),
        PermissionDenied, "never", "1046",
    ),
    (
        refusal(401, "unauthorized_client", "... not authorized for any of the scopes requested."),
        PermissionDenied, "never", "scope.a,scope.b",
    ),
    (refusal(403, "access_denied", "Requested client not authorized."), PermissionDenied, "never", "1046"),
    (refusal(400, "access_denied", "Account restricted"), PermissionDenied, "never", "admin account"),
    (refusal(400, "invalid_grant", "Invalid email or User ID"), AuthError, "never", "SUBJECT"),
    (refusal(400, "invalid_grant", "Not a valid email"), AuthError, "never", "SUBJECT"),
    (refusal(400, "invalid_grant", "The account has been deleted"), AuthError, "never", "SUBJECT"),
    (refusal(400, "invalid_request", "Invalid impersonation prn email address."), AuthError, "never", "SUBJECT"),
    (refusal(400, "invalid_grant", "Invalid JWT Signature."), AuthError, "never", "new one"),
    (refusal(400, "invalid_grant", "No valid verifier found for issuer"), AuthError, "never", "new one"),
    (
        refusal(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values"),
        AuthError, "never", "clock",
    ),
    (refusal(400, "invalid_scope", "Some requested scopes were invalid"), PermissionDenied, "never", "scope.a"),
    (refusal(401, "invalid_client"), AuthError, "never", "new one"),
    (refusal(500, "internal_failure", "Backend Error"), TransientError, "always", ""),
    (refusal(400, "internal_failure"), TransientError, "always", ""),
    (Reply(status=503, headers={}, body=b""), TransientError, "idempotent", ""),
    (Reply(status=429, headers={}, body=b""), RateLimited, "always", ""),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "error", "retry", "word"), TOKEN_ROWS)
def test_refused_tokens(reply, error, retry, word):
    verdict = classify_grant(TOKEN, reply, 1, client_id="1046", scopes=("scope.a", "scope.b"))
    assert type(verdict.error) is error
    assert verdict.retry == retry
    assert word in verdict.error.hint
    assert not verdict.refresh


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [
        (401, AuthError, "application-default login"),
        (403, PermissionDenied, "Service Account Token Creator"),
        (404, PermissionDenied, "Service Account Token Creator"),
        (500, TransientError, ""),
    ],
)
def test_the_iam_service_that_signs(status, error, word):
    body = json.dumps({"error": {"code": status, "status": "X", "message": "y"}}).encode()
    verdict = classify_grant(
        SIGN, Reply(status=status, headers={}, body=body), 1, client_id="", scopes=()
    )
    assert type(verdict.error) is error
    assert word in verdict.error.hint


def test_a_token_that_came_has_no_verdict():
    reply = Reply(status=200, headers={}, body=b'{"access_token":"x"}')
    assert classify_grant(TOKEN, reply, 1, client_id="", scopes=()) is None
