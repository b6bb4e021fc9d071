"""The ways of keeping a rule, one file each; none of them knows another."""
