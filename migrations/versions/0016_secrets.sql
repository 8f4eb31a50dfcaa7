-- Secrets, grants, their use, their access log and rotation.

-- Store

-- Use

-- Rotation
