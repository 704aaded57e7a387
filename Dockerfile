# The command line as a container image, with the bundled model packs inside.
#   docker build -t brain-tumor-seg .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" brain-tumor-seg cohort scans -o results
# With CUDA: docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 ...
FROM debian:bookworm-slim AS build

# Builds of PyTorch without CUDA are a tenth as large.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv
RUN python3 -m venv /opt/brain-tumor-seg
ENV PATH=/opt/brain-tumor-seg/bin:$PATH
WORKDIR /source
COPY Resources/Setup Resources/Setup
RUN pip install --no-cache-dir --index-url "$TORCH_INDEX" \
        --constraint Resources/Setup/constraints.txt torch torchvision
COPY LICENSE README.md pyproject.toml ./
COPY Resources Resources
COPY BrainTumorSegLib BrainTumorSegLib
RUN pip install --no-cache-dir --constraint Resources/Setup/constraints.txt \
        ".[cluster,dicom,openvino]"

FROM debian:bookworm-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home brain
COPY --from=build /opt/brain-tumor-seg /opt/brain-tumor-seg
ENV PATH=/opt/brain-tumor-seg/bin:$PATH
USER brain
WORKDIR /data
ENTRYPOINT ["brain-tumor-seg"]
