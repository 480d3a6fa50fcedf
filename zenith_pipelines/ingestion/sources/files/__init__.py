"""Price files in every known form."""
