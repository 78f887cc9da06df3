# The demo page. On a CPU, the default:
#   docker build -t facerecon .
#   docker run --rm -p 7860:7860 facerecon
# On an NVIDIA GPU (the host needs the NVIDIA container toolkit):
#   docker build -t facerecon:gpu --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
#   docker run --rm --gpus all -p 7860:7860 facerecon:gpu
# The command line, on a folder of the host:
#   docker run --rm -v "$PWD/photos:/photos:ro" -v "$PWD/out:/out" facerecon python -m batch run /photos --output-dir /out
FROM python:3.11-slim-bookworm

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_TEMP_DIR=/tmp/gradio \
    NUMBA_CACHE_DIR=/tmp/numba \
    HOME=/home/user

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# A user of its own, number 1000 as Hugging Face's Spaces want it.
RUN useradd --create-home --uid 1000 user

WORKDIR /app

# torch first and alone: its layer is large, and changes least. Its version is that of requirements.txt.
COPY requirements.txt ./
RUN pip install --index-url "${TORCH_INDEX}" --extra-index-url https://pypi.org/simple "$(grep '^torch==' requirements.txt)" \
    && pip install -r requirements.txt

COPY --chown=user app.py LICENSE README.md ./
COPY --chown=user facerecon ./facerecon
COPY --chown=user batch ./batch
COPY --chown=user examples ./examples
COPY --chown=user weights ./weights

USER 1000
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/', timeout=8)"]

CMD ["python", "app.py"]
