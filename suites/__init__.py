"""What Joulemark measures: the training step and the inference of an image classifier, under many settings.

A workload here is three functions: ``selection(options)`` says which cases there are and which are left out,
``prepare(**parameters)`` checks the parameters and makes what all cases share, ``build(variant, **parameters)`` returns
the step to time.

Importing this package or one of its workloads does not import torch.
"""
