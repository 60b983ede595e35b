"""Tables, figures and pages that tell what was found."""
