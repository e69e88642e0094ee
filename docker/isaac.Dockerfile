# refergym in NVIDIA's Isaac Sim 6 image. Not built here. It says nothing about Isaac's licence, and
# neither does the image that it makes: who runs it accepts that, in the way NVIDIA's guide says.
#
#   docker build -f docker/isaac.Dockerfile --build-arg ISAAC_IMAGE=... -t refergym-isaac .
#   docker run --rm --gpus all -v "$PWD/runs:/runs" refergym-isaac
#
# ISAAC_IMAGE is the name of NVIDIA's image with its tag, from their container guide.
ARG ISAAC_IMAGE
FROM ${ISAAC_IMAGE}
USER root
COPY . /opt/refergym
# without constraints.txt: what Isaac's own Python brings stays as it is
RUN /isaac-sim/python.sh -m pip install --no-cache-dir /opt/refergym
WORKDIR /runs
ENTRYPOINT ["/isaac-sim/python.sh", "-m", "refergym.rollouts.cli"]
CMD ["contract", "backend=isaac", "out=/runs/contract.json"]
