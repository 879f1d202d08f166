"""What the page shows, as pure functions of events and numbers. Imports neither Gradio nor plotly."""
