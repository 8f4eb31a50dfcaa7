"""Rules of taxes, pure: `rates` has the rates by place and time, `treatment` the tax of an organization."""
