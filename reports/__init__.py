"""What is said of a stored run: tables, sentences, pictures, and the forms they take.

::

    run --summarise--> groups --tables, wording--> document --console | markdown | html--> text
                              `--frames--> pandas, CSV

A document says what stands in a report and in which order; the three renderers say how it looks. Nothing in
this package imports torch, a suite or an instrument, and nothing heavy is imported before it is needed.
"""
