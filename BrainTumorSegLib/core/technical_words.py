"""Words of scan names that say how a scan was made, not whose it is nor what was injected."""

from __future__ import annotations

import re

from .contrast_words import folded


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", folded(text)))


#: Common to most clinics, and no names of patients.
TECHNICAL_WORDS = _words("""
        2d 3d 4d all anat ax axial brain brainview blade cor coronal cranial cs cube data dcm
        dicom download downloads ep fast fat fatsat ffe files fl fov frfse fs fse gre grappa
        head hires hirn high image images img in input ir iso isotropic kopf mprage mr mri mrt
        multivane mvxd neuro nii nifti non nrrd oblique of orig original output p2 p3 plane prep
        preproc processed propeller ra raw recon reg registered res resolution sag sagittal scan
        scans schaedel se sense ser series sequence slices space spir st stack te temp tf tfe ti
        tmp to tr tra trans transversal transverse tse vibe vista vol volume volumes weighted wi
        wip with
        """)

#: Words that may stand beside one for contrast agent without turning its meaning round.
#: Some of them are surnames, too.
HARMLESS_WORDS = TECHNICAL_WORDS | _words("""
        2nd 3rd acq adc after axi axl base bb blood black bravo brainlab cerebral cerebro cerebrum
        cervical clear comp crane cranio csf ctx cube curved delay delayed dixon dl dynamic early
        encephale epi fast fatsat fattsup fetts fgre fh flow focus fov fsat fspgr full gk gamma
        gammaknife glioma glava golova hals hause hausen head headcoil hjerne hlava hoofd hoved
        hypophyse hypophysis iac inplane isovoxel knife late lava left lt medic metastase metastases
        mets moco motion mozg mprage mpr nav navi navigation neuronav neuronavigation new norm nose
        ob obl opp orbit orbita orbits org pat phase pituitary planning quick radial repeat repeated
        rpt right rl rs rt sagt sat schaedel sella sfov short skull slab slice slow spc spgr spin
        echo spiral spir spoiled star stealth stealthstation stereo stereotactic stereotaxy study
        supp suppressed survey t1 t1w t2 t2w temporal testa tete thick thin tight tir tirm tse
        tumor tumour turbo upper vane vessel wall water weighted wfs whole xl

        axiale axiales axiaal axiální coronaal koronal koronar coronale sagittaal sagittale
        transversale transaxial transverzalni tra
        横断 横断位 横軸 水平断 轴位 軸位 矢状 矢状位 矢状断 冠状 冠状位 冠状断
        頭部 头部 头颅 颅脑 脳 脑 全脳
        аксиальн корональн сагитт головной мозг

        a b d f g i p q t v w x y the and of in und et de da la le
        """)
