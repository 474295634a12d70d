"""What Joulemark measures: the training step and the inference of an image classifier, under many settings.

A workload here is three functions: ``cases(options)`` says which cases there are, ``prepare(**parameters)`` checks
the parameters and makes what all cases share, ``build(variant, **parameters)`` returns the step to time.

Importing this package, :mod:`suites.training` or :mod:`suites.inference` does not import torch.
"""
