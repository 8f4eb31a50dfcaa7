#!/bin/sh
# Makes the namespace unless it is there, and waits until the server answers for it.
set -eu
until temporal operator namespace describe --namespace "$NAMESPACE"; do
    temporal operator namespace create --namespace "$NAMESPACE" --retention "$RETENTION" || sleep 2
done
