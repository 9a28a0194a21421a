"""The demonstration's credentials: printed at its start, known to everybody, made by `serve --demo`
alone."""

MEMBER_EMAIL, MEMBER_PASSWORD = "member@demo.example", "demo-member"
STAFF_EMAIL, STAFF_PASSWORD = "staff@demo.example", "demo-staff"
APPROVER_EMAIL = "approver@demo.example"  # the second person, with the same password
TILL_KEY = "laurel_demo_till_key_for_everybody"
REPLAY_KEY = "laurel_demo_replay_key_for_everybody"
DEVICE_TOKEN = "demo-phone"  # noqa: S105 - of the member's phone, which is drawn at the terminal
