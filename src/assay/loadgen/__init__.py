"""Open-loop load: requests that leave on time, latencies from when they were due."""
