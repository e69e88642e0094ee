"""refergym for people who train elsewhere: TRL, verl, OpenEnv. Each is imported when it is used.

A host that is not installed is named with the command that installs it, never at
`import refergym`. `place` and `playing` are what all of them share.
"""
