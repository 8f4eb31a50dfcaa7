"""Rules of taxes, pure: `rates` what is charged where and when, `treatment` which of it an organization is charged."""
