"""Tests of centres, users, rights and the audit trail."""
