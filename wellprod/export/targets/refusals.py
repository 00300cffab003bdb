"""What an S3 service or its SDK says no with, in words that tell what to do; never with a secret or a signed URL."""

from __future__ import annotations

from typing import Any

from wellprod.errors import ExportError

NOT_ALLOWED = frozenset({"AccessDenied", "AllAccessDisabled", "403", "Forbidden"})
GONE = frozenset({"NoSuchKey", "404", "NotFound"})
NOT_OFFERED = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301", "InvalidRegion"}
)
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504"})
_DAMAGED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
_FULL = frozenset({"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "EntityTooLarge"})
_EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired", "RequestExpired"})
_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_NO_CHECKSUMS = "For a service that takes no checksums set AWS_REQUEST_CHECKSUM_CALCULATION=when_required."

_UNREACHABLE = {
    "EndpointConnectionError": "cannot be reached",
    "ConnectTimeoutError": "does not answer in time",
    "ReadTimeoutError": "does not answer in time",
    "ConnectionClosedError": "broke the connection off",
    "ResponseStreamingError": "broke the connection off",
    "ProxyConnectionError": "cannot be reached through the proxy",
    "SSLError": "has a certificate that is not accepted",
}
_NO_SIGN_IN = ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "MetadataRetrievalError")
_SIGNED_OUT = ("SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "NoAuthTokenError")


def code_of(error: Any) -> str:
    """Give the code of what the service refused."""
    return str(error.response.get("Error", {}).get("Code", ""))


def told(error: Any, bucket: str, endpoint: str) -> ExportError:
    """Give what is said of an error of the SDK."""
    response = getattr(error, "response", None)
    where = f"S3 at {endpoint}" if endpoint else "S3"
    if isinstance(response, dict) and "Error" in response:
        message, advice = _refused(error, bucket, where)
    else:
        message, advice = _failed(error, where)
    return ExportError(" ".join([message, *getattr(error, "__notes__", ())]), next=advice)


def _refused(error: Any, bucket: str, where: str) -> tuple[str, str]:
    code, details = code_of(error), error.response["Error"]
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code == "NoSuchBucket" or (code in GONE and error.operation_name != "HeadObject"):
        return f"There is no bucket {bucket} in {where}.", "Make the bucket, or correct the address of the target."
    if code == "InvalidAccessKeyId":
        return f"{where} does not know the access key.", f"Correct {_KEYS}."
    if code == "SignatureDoesNotMatch":
        return f"{where} does not accept the secret key: it does not fit the access key.", f"Correct {_KEYS}."
    if code in _EXPIRED:
        return f"The sign-in to {where} has expired.", "Sign in again, such as with: aws sso login."
    if code in ("InvalidToken", "InvalidClientTokenId"):
        return f"{where} does not accept the session token.", f"Correct or unset AWS_SESSION_TOKEN; then {_KEYS}."
    if code == "RequestTimeTooSkewed":
        return f"{where} goes by another time than this machine.", "Set the clock of this machine."
    if code in NOT_ALLOWED:
        asked = error.operation_name
        return (
            f"{where} does not allow this sign-in to use the bucket {bucket} ({asked}: access denied).",
            "Ask for the rights s3:PutObject, s3:GetObject, s3:DeleteObject and s3:AbortMultipartUpload there.",
        )
    if code in _OTHER_REGION or (code == "400" and "x-amz-bucket-region" in headers):
        region = details.get("Region") or headers.get("x-amz-bucket-region")
        name = f", {region}" if region else ""
        return (
            f"The bucket {bucket} lies in another region{name}.",
            f"Set AWS_DEFAULT_REGION{f'={region}' if region else ''} or the region of the profile.",
        )
    if code in _BUSY:
        return f"{where} cannot serve at present ({code}).", "Try again later."
    if code in _FULL:
        return f"{where} takes no file of this size in the bucket {bucket} ({code}).", "Make room, or select less."
    if code in _DAMAGED:
        return f"What arrived at {where} is not what was sent ({code}).", f"Export again. {_NO_CHECKSUMS}"
    if code in NOT_OFFERED:
        return f"{where} does not know {error.operation_name} in the form it was asked ({code}).", _NO_CHECKSUMS
    said = str(details.get("Message", ""))[:200].rstrip(".")
    return f"{where} refused {error.operation_name}: {code}{f', {said}' if said else ''}.", "Ask who runs the service."


def _failed(error: Any, where: str) -> tuple[str, str]:
    names = [kind.__name__ for kind in type(error).__mro__]
    if found := [_UNREACHABLE[name] for name in names if name in _UNREACHABLE]:
        return f"{where} {found[0]}.", "See that it runs and that AWS_ENDPOINT_URL_S3 names it, then export again."
    if any(name in _NO_SIGN_IN for name in names):
        return f"There are no credentials for {where}, or they are not whole.", f"Set {_KEYS}."
    if any(name in _SIGNED_OUT or name.startswith("Login") for name in names):
        return f"The sign-in to {where} has expired.", "Sign in again, such as with: aws sso login."
    if "ProfileNotFound" in names:
        return f"{error}.".replace("The config profile", "The AWS profile"), "Correct AWS_PROFILE."
    return (
        f"{where} cannot be used: {str(error).splitlines()[0][:200]}",
        "See the AWS_* variables and the files of the SDK.",
    )
