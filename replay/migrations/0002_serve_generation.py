from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("replay", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="replay",
            options={
                "default_permissions": ("view",),
                "ordering": ("-id",),
                "permissions": [
                    ("request_replay", "Can request a replay"),
                    ("start_replay", "Can start a replay"),
                    (
                        "control_replay",
                        "Can pause, resume, cancel and retry a replay, and change its rate",
                    ),
                    (
                        "serve_generation",
                        "Can verify, swap, roll back and drop generations of the view",
                    ),
                ],
            },
        ),
    ]
