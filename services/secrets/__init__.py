"""Operations on secrets, grants, uses, the access log and rotation."""
