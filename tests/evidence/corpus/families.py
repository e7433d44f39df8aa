"""All families of secrets that are planted, with the names they go by."""

import base64

from tests.evidence.corpus.planted import (
    B32,
    B62,
    B64,
    B64U,
    DIGITS,
    HEX,
    UPPER,
    Family,
    Shows,
    _signed,
    command,
    joined,
    jwt,
    many,
    of,
    password,
    pem,
    private_address,
    uuid,
    webhook,
    yaml_secret,
)
from tests.evidence.corpus.planted_people import (
    born,
    card,
    iban,
    insurance,
    labelled_phone,
    mail,
    national,
    nhs,
    npi,
    one_time,
    phone,
    record,
    ssn,
)

_I, _N, _T = Shows.ITSELF, Shows.NAME, Shows.TEXT


def _basic(r):
    return base64.b64encode(f"svc:{of(B62, 14)(r)}".encode()).decode()


FAMILIES: tuple[Family, ...] = (
    Family(
        "password",
        _N,
        password,
        ("DB_PASSWORD", "password", "spring.datasource.password", "passwd", "redisPassword", "PGPASSWORD", "pwd"),
    ),
    Family("client secret", _N, of(B64U, 40), ("client_secret", "clientSecret", "OAUTH_CLIENT_SECRET")),
    Family(
        "API key by name", _N, many(of(HEX, 32), of(B62, 40), uuid), ("api_key", "apiKey", "X-Api-Key", "DD_API_KEY", "app-key")
    ),
    Family(
        "access token by name",
        _N,
        of(B62, 48),
        ("access_token", "refreshToken", "CF_API_TOKEN", "TWILIO_AUTH_TOKEN", "X-Auth-Token"),
    ),
    Family("AWS secret access key", _N, of(B64, 40), ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "SecretAccessKey")),
    Family("session id", _N, of(B62, 32), ("session_id", "sessionId", "JSESSIONID", "PHPSESSID")),
    Family(
        "encryption key", _N, joined(of(B64, 43), lambda _: "="), ("ENCRYPTION_KEY", "signing_key", "SECRET_KEY_BASE", "master-key")
    ),
    Family("licence key", _N, of(HEX, 40), ("NEW_RELIC_LICENSE_KEY", "license_key")),
    Family("routing key of PagerDuty", _N, joined(of("abcdef", 1), of(DIGITS, 1), of(HEX, 30)), ("routing_key", "integration_key")),
    Family("PagerDuty REST token", _N, joined(lambda _: "u+", of(B62, 18)), ("PAGERDUTY_API_TOKEN", "pd_token")),
    Family("Azure storage key", _N, joined(of(B64, 86), lambda _: "=="), ("AccountKey", "AZURE_STORAGE_KEY")),
    Family("basic credentials", _N, _basic, ("Authorization", "Proxy-Authorization")),
    Family("cookie", _N, lambda r: f"sid={of(B62, 24)(r)}", ("Cookie", "Set-Cookie")),
    Family("JWT", _I, jwt),
    Family("AWS key id", _I, many(of(UPPER + DIGITS, 16, "AKIA"), of(UPPER + DIGITS, 16, "ASIA"))),
    Family("GCP API key", _I, of(B64U, 35, "AIza")),
    Family("GCP OAuth", _I, many(of(B64U, 60, "ya29."), of(B64U, 28, "GOCSPX-"))),
    Family("Azure AD secret", _I, joined(of(B62, 3), of(DIGITS, 1), lambda _: "Q~", of(B62 + "_.-", 31))),
    Family("GitHub token", _I, many(*(of(B62, 36, p) for p in ("ghp_", "gho_", "ghs_", "ghr_", "ghu_")))),
    Family("GitHub fine-grained", _I, joined(of(B62, 22, "github_pat_", "_"), of(B62, 59))),
    Family("GitLab token", _I, many(of(B64U, 20, "glpat-"), of(B64U, 20, "gldt-"), of(B64U, 20, "glrt-"))),
    Family(
        "Slack token", _I, many(joined(of(DIGITS, 11, "xoxb-", "-"), of(DIGITS, 12), of(B62, 24, "-")), of(HEX, 64, "xapp-1-A0-"))
    ),
    Family(
        "Stripe key", _I, many(of(B62, 24, "sk_live_"), of(B62, 99, "rk_live_"), of(B62, 24, "sk_test_"), of(B62, 32, "whsec_"))
    ),
    Family("Twilio key", _I, many(of(HEX, 32, "SK"), of(HEX, 32, "AC"))),
    Family("SendGrid key", _I, joined(of(B64U, 22, "SG.", "."), of(B64U, 43))),
    Family("OpenAI key", _I, many(of(B62, 48, "sk-"), of(B64U, 100, "sk-proj-"), of(B64U, 60, "sk-svcacct-"))),
    Family("Anthropic key", _I, of(B64U, 93, "sk-ant-api03-", "AA")),
    Family("Hugging Face token", _I, of(B62, 34, "hf_")),
    Family("npm token", _I, of(B62, 36, "npm_")),
    Family("PyPI token", _I, of(B64U, 120, "pypi-AgEIcHlwaS5vcmc")),
    Family("Langfuse key", _I, lambda r: f"sk-lf-{uuid(r)}"),
    Family("New Relic user key", _I, of(UPPER + DIGITS, 27, "NRAK-")),
    Family("Vault token", _I, many(of(B64U, 90, "hvs."), of(B62, 24, "s."))),
    Family("DigitalOcean token", _I, of(HEX, 64, "dop_v1_")),
    Family("Shopify token", _I, many(of(HEX, 32, "shpat_"), of(HEX, 32, "shpss_"))),
    Family("Linear key", _I, of(B62, 40, "lin_api_")),
    Family("Doppler token", _I, many(of(B62, 43, "dp.pt."), of(B62, 40, "dp.st.prd."))),
    Family("Databricks token", _I, of(HEX, 32, "dapi")),
    Family("Grafana token", _I, joined(of(B62, 32, "glsa_", "_"), of(HEX, 8))),
    Family("Telegram bot", _I, joined(of(DIGITS[1:], 10), of(B64U, 33, ":AA"))),
    Family("private key", _T, pem),
    Family("address with password", _T, private_address),
    Family("webhook address", _T, webhook),
    Family("signed query", _T, _signed),
    Family("command or statement", _T, command),
    Family("Secret in YAML", _T, yaml_secret),
    Family("mail address", _I, mail),
    Family("telephone", _I, phone),
    Family("telephone by label", _N, labelled_phone, ("phone", "phone_number", "mobile", "tel", "msisdn")),
    Family("payment card", _I, card),
    Family("IBAN", _I, iban),
    Family("US SSN", _I, ssn),
    Family("NHS number", _I, nhs),
    Family("medical record", _N, record, ("MRN", "patient_id", "medical_record_number", "patientId")),
    Family("health insurance", _N, insurance, ("insurance_id", "health_insurance_number", "MBI", "medicare_number")),
    Family("NPI", _N, npi, ("NPI", "npi")),
    Family("date of birth", _N, born, ("dob", "DOB", "date_of_birth", "dateOfBirth")),
    # Written after the rules: what they make of notations that nobody had in mind.
    Family("national number by label", _N, national, ("ssn", "tax_id", "passport_number", "nino"), held_out=True),
    Family("one-time code", _N, one_time, ("otp", "verification_code", "mfa_code"), held_out=True),
    Family("Mailgun key", _I, of(HEX, 32, "key-"), held_out=True),
    Family("Square token", _I, many(of(B64U, 22, "sq0atp-"), of(B64U, 43, "sq0csp-")), held_out=True),
    Family("Notion token", _I, many(of(B62, 43, "secret_"), of(B62, 46, "ntn_")), held_out=True),
    Family("Terraform Cloud token", _I, joined(of(B62, 14), of(B62, 67, ".atlasv1.")), held_out=True),
    Family("Atlassian token", _I, of(B64U, 180, "ATATT3xFfGF0", "=1A2B3C4D"), held_out=True),
    Family("Docker Hub token", _I, of(B64U, 27, "dckr_pat_"), held_out=True),
    Family("Fastly token by name", _N, of(B64U, 32), ("FASTLY_API_TOKEN", "Fastly-Key"), held_out=True),
    Family("Algolia admin key by name", _N, of(HEX, 32), ("ALGOLIA_ADMIN_KEY", "X-Algolia-API-Key"), held_out=True),
    Family("TOTP seed by name", _N, of(B32, 32), ("totp_secret", "MFA_SEED", "otpSecret"), held_out=True),
    Family("Airtable token", _I, joined(of(B62, 14, "pat", "."), of(HEX, 64)), held_out=True),
    Family("Okta token", _N, of(B64U, 40, "00"), ("OKTA_API_TOKEN", "okta.client.token"), held_out=True),
    Family(
        "Snowflake password",
        _N,
        password,
        ("SNOWFLAKE_PASSWORD", "snowflakePwd", "ELASTIC_PASSWORD", "keystore.password"),
        held_out=True,
    ),
)
