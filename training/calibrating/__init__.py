"""Calibration and thresholds, fitted to what runs answered."""
