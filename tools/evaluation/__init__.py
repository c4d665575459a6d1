"""The evaluation: defences and baselines against oblivious and adaptive attacks, with n and intervals everywhere."""
