"""Why an image could not be pulled, and why a container could not be made: by the words of the kubelet. Pure.

The kubelet passes on what containerd, CRI-O or Docker and the registry said; none of them has codes, so their words are
all there is. Sources: https://kubernetes.io/docs/concepts/containers/images/ and the OCI distribution specification's errors.
"""

import re

from sre_agent.evidence.finding_reason import FindingReason as R

_PULL: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        (R.NEVER_PULLED, r"ErrImageNeverPull|pull policy of Never|present with pull policy"),
        (R.IMAGE_NAME_INVALID, r"InvalidImageName|parse image name|invalid reference format|repository name must be lowercase"),
        (R.REGISTRY_RATE_LIMITED, r"toomanyrequests|too many requests|pull rate limit|\b429\b"),
        (
            R.REGISTRY_UNREACHABLE,
            r"no such host|i/o timeout|connection refused|connection reset|TLS handshake|x509|server misbehaving|"
            r"network is unreachable|no route to host|deadline exceeded|HTTP response to HTTPS|context canceled|"
            r"Client\.Timeout|50[0234] (?:Bad|Internal|Service|Gateway)|temporary failure|unexpected EOF|RegistryUnavailable",
        ),
        (
            R.IMAGE_NOT_FOUND,
            r"manifest unknown|manifest for \S{1,300} not found|name unknown|no match for platform|no matching manifest|"
            r"repository \S{1,300} not found|code = NotFound|: not found|404 Not Found|does not exist or no pull access",
        ),
        (
            R.REGISTRY_UNAUTHORIZED,
            r"unauthorized|authentication required|access denied|authorization failed|no basic auth|denied:|"
            r"\b40[13] (?:Unauthorized|Forbidden)|requested access to the resource is denied|insufficient_scope|forbidden",
        ),
    )
)
_NO_SUCH_REPOSITORY = re.compile(r"repository does not exist or may require", re.IGNORECASE)
PLATFORM = re.compile(r"no match for platform|no matching manifest", re.IGNORECASE)


def pull_reason(words: str, image: str, with_secret: bool) -> R | None:
    """Why, by these words. Docker Hub says the same of a private and of a missing repository: without a pull secret, missing."""
    host, slash, _ = image.partition("/")
    elsewhere = bool(slash) and ("." in host or ":" in host) and host not in ("docker.io", "index.docker.io")
    if _NO_SUCH_REPOSITORY.search(words) and not with_secret and not elsewhere:
        return R.IMAGE_NOT_FOUND
    return next((reason for reason, pattern in _PULL if pattern.search(words)), None)


_CREATE: tuple[tuple[R, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(words, re.IGNORECASE))
    for reason, words in (
        (R.KEY_MISSING, r"couldn't find key|references non-existent (?:config|secret) key"),
        (R.CONFIG_MAP_MISSING, r"configmaps? \"?[\w./-]{1,253}\"? not found"),
        (R.SECRET_MISSING, r"secrets? \"?[\w./-]{1,253}\"? not found"),
        (R.MEMORY_LIMIT, r"init was OOM-killed|memory limit too low"),
        (R.RUNS_AS_ROOT, r"runAsNonRoot|will run as root|non-numeric user"),
        (
            R.MOUNT_FAILED,
            r"subPath|not a directory: unknown|error mounting|mounting \"|hostPath type check|making volume mountpoint",
        ),
        (
            R.COMMAND_NOT_FOUND,
            r"executable file not found|exec format error|no command specified|"
            r"exec:? \"[^\"]{1,200}\": (?:permission denied|no such file|is a directory|stat)|"
            r"(?:stat|exec) \S{1,200}: (?:no such file or directory|permission denied)|no such file or directory: unknown",
        ),
        (R.NO_PERMISSION, r"permission denied|operation not permitted|read-only file system"),
        (R.DISK_FULL, r"no space left on device"),
    )
)
MISSING_MOUNT = re.compile(
    r"(?:configmap|secret)s? \"?[\w./-]{1,253}\"? not found|references non-existent (?:config|secret) key", re.IGNORECASE
)


def create_reason(words: str) -> R | None:
    """Why a container could not be made or started, by these words."""
    return next((reason for reason, pattern in _CREATE if pattern.search(words)), None)
